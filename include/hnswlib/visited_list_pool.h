// VisitedListPool, under the name of hnswlib's header.
#pragma once

#include "visited_lists.h"

#include "hnswlib.h"
