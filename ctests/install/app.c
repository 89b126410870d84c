/* What a newcomer's program needs of an installed libhnx: header, library, and that both are of one version. */
#include <hnx.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    static float vectors[100][8];
    static uint64_t labels[100];
    char version[32];
    uint64_t found = 0;
    float distance = -1;
    hnx_options options = {0};
    hnx_index *index = NULL;
    options.struct_size = sizeof options;
    options.dim = 8;
    for (int i = 0; i < 100; i++) {
        labels[i] = (uint64_t)i + 1000;
        for (int j = 0; j < 8; j++)
            vectors[i][j] = (float)((i * 31 + j * 17) % 97);
    }
    if (hnx_init(&options, &index) != HNX_OK || hnx_add(index, vectors[0], labels, 100, NULL, NULL) != HNX_OK ||
        hnx_query(index, vectors[42], 1, 1, NULL, &found, &distance, NULL) != HNX_OK || found != 1042 || distance != 0)
        return 1;
    hnx_free(index);
    snprintf(version, sizeof version, "%d.%d.%d", HNX_VERSION_MAJOR, HNX_VERSION_MINOR, HNX_VERSION_PATCH);
    printf("libhnx %s\n", hnx_version());
    return strcmp(version, hnx_version()) != 0;
}
