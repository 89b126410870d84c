/* Prints the name of every status and of many numbers that are none; the caller knows which is which. */
#include <limits.h>
#include <stdio.h>

#include "hnx.h"

int main(void)
{
    for (int32_t number = -1000; number <= 1000; number++)
        printf("%d %s\n", (int)number, hnx_status_name(number));
    printf("%d %s\n", INT_MIN, hnx_status_name(INT_MIN));
    printf("%d %s\n", INT_MAX, hnx_status_name(INT_MAX));
    return 0;
}
