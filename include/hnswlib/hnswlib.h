// hnswlib, on libhnx: include this instead of hnswlib's own header of the same name, and link libhnx.
//
// README.md, "From hnswlib", says what stays and what is better; hnx.h is libhnx's own interface.
#pragma once

#include "interfaces.h"
#include "space_l2.h"
#include "space_ip.h"
#include "stop_condition.h"
#include "visited_list_pool.h"
#include "bruteforce.h"
#include "hnswalg.h"
