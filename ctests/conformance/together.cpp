// The original and libhnx in one process: each of two plugins, alone and both at once, on several threads, sees the same.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

typedef unsigned long long (*Work)(unsigned seed, const char *path);

#ifdef LINKED
extern "C" unsigned long long original_work(unsigned seed, const char *path);
extern "C" unsigned long long libhnx_work(unsigned seed, const char *path);
#endif

static Work load(const char *library, const char *name)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_GLOBAL);
    Work work = nullptr;
    void *symbol = handle ? dlsym(handle, name) : nullptr;
    if (!symbol)
        fprintf(stderr, "%s\n", dlerror());
    memcpy(&work, &symbol, sizeof work);
    return work;
}

// together FOLDER [FIRST_NAME FIRST_LIBRARY SECOND_NAME SECOND_LIBRARY]
int main(int argc, char **argv)
{
    const std::string folder = argv[1];
    std::vector<Work> plugins;
#ifdef LINKED
    plugins.push_back(original_work);
    plugins.push_back(libhnx_work);
#endif
    for (int at = 2; at + 1 < argc; at += 2)
        plugins.push_back(load(argv[at + 1], argv[at]));
    std::vector<unsigned long long> alone;
    for (unsigned seed = 0; seed < 4; seed++) {
        for (Work work : plugins) {
            if (!work)
                return 3;
            alone.push_back(work(seed, (folder + "/alone").c_str()));
            if (alone.back() != alone[seed * plugins.size()]) {
                printf("seed %u: %llx, %llx\n", seed, alone.back(), alone[seed * plugins.size()]);
                return 1;
            }
        }
    }
    std::atomic<int> wrong(0);
    std::vector<std::thread> threads;
    for (size_t at = 0; at < plugins.size(); at++) {
        for (unsigned seed = 0; seed < 4; seed++)
            threads.emplace_back([&, at, seed] {
                const std::string path = folder + "/" + std::to_string(at) + "." + std::to_string(seed);
                for (int round = 0; round < 3; round++)
                    wrong += plugins[at](seed, path.c_str()) != alone[seed * plugins.size()];
            });
    }
    for (std::thread &thread : threads)
        thread.join();
    printf("%d wrong of %zu\n", wrong.load(), threads.size() * 3);
    return wrong != 0 || plugins.size() != 2;
}
