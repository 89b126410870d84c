# For a host whose CMakeLists.txt says find_package(hnswlib), configured with -Dhnswlib_DIR=<this folder>.
include("${CMAKE_CURRENT_LIST_DIR}/hnxConfig.cmake")
if(NOT TARGET hnswlib::hnswlib)
  set(hnswlib_FOUND FALSE)
  set(hnswlib_NOT_FOUND_MESSAGE "libhnx is installed without hnswlib's classes")
endif()
