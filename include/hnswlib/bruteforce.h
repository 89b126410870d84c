// Exact search: every vector is measured.
#pragma once

#include <stdio.h>
#include <sys/stat.h>

#include "glue.h"
#include "interfaces.h"

namespace hnswlib
{
inline namespace libhnx
{

// Threads: adds and removals lock each other out. Searches of many threads may run at once, but not beside a change.
template <typename dist_t> class BruteforceSearch : public AlgorithmInterface<dist_t> {
public:
    char *data_ = nullptr; // rows of data_size_ bytes and a label
    size_t maxelements_ = 0;
    size_t cur_element_count = 0;
    size_t size_per_element_ = 0;
    size_t data_size_ = 0;
    DISTFUNC<dist_t> fstdistfunc_ = nullptr;
    void *dist_func_param_ = nullptr;
    std::mutex index_lock;
    std::unordered_map<labeltype, size_t> dict_external_to_internal;

    // loadIndex() makes it usable.
    BruteforceSearch(SpaceInterface<dist_t> *) {}

    BruteforceSearch(SpaceInterface<dist_t> *s, const std::string &location) { loadIndex(location, s); }

    BruteforceSearch(SpaceInterface<dist_t> *s, size_t maxElements)
    {
        data_ = allocate(maxElements, s->get_data_size() + sizeof(labeltype));
        if (!data_)
            throw std::runtime_error("Not enough memory: BruteforceSearch failed to allocate data");
        maxelements_ = maxElements;
        take(s);
    }

    BruteforceSearch(const BruteforceSearch &) = delete;
    BruteforceSearch &operator=(const BruteforceSearch &) = delete;
    ~BruteforceSearch() { free(data_); }

    // Adds a vector, or overwrites the one of that label. Throws std::runtime_error when there is no room.
    void addPoint(const void *datapoint, labeltype label, bool = false)
    {
        std::unique_lock<std::mutex> lock(index_lock);
        const auto found = dict_external_to_internal.find(label);
        size_t at = cur_element_count;
        if (found != dict_external_to_internal.end()) {
            at = found->second;
        } else {
            if (cur_element_count >= maxelements_)
                throw std::runtime_error("The number of elements exceeds the specified limit\n");
            dict_external_to_internal[label] = at;
        }
        memcpy(row(at) + data_size_, &label, sizeof label);
        memcpy(row(at), datapoint, data_size_);
        if (at == cur_element_count)
            cur_element_count++;
    }

    // Removes a label, if it is there; the last row takes its place.
    void removePoint(labeltype cur_external)
    {
        std::unique_lock<std::mutex> lock(index_lock);
        const auto found = dict_external_to_internal.find(cur_external);
        if (found == dict_external_to_internal.end())
            return;
        const size_t at = found->second, last = cur_element_count - 1;
        dict_external_to_internal.erase(found);
        if (at != last) {
            memcpy(row(at), row(last), size_per_element_);
            dict_external_to_internal[label_of(at)] = at;
        }
        cur_element_count = last;
    }

    // The k nearest that the filter lets pass, fewer if there are not so many; farthest on top.
    std::priority_queue<std::pair<dist_t, labeltype>>
    searchKnn(const void *query_data, size_t k, BaseFilterFunctor *isIdAllowed = nullptr) const
    {
        std::priority_queue<std::pair<dist_t, labeltype>> nearest;
        const size_t count = k == 0 ? 0 : cur_element_count, block = 64;
        dist_t distances[block];
        for (size_t first = 0; first < count; first += block) {
            const size_t size = std::min(block, count - first);
            measure(query_data, first, size, distances);
            for (size_t i = 0; i < size; i++) {
                if (nearest.size() == k && !(distances[i] <= nearest.top().first))
                    continue;
                const labeltype label = label_of(first + i);
                if (isIdAllowed && !(*isIdAllowed)(label))
                    continue;
                nearest.emplace(distances[i], label);
                if (nearest.size() > k)
                    nearest.pop();
            }
        }
        return nearest;
    }

    // Writes a file of hnswlib's form. Throws std::runtime_error when it cannot be written; a file that was there is then
    // what it was.
    void saveIndex(const std::string &location)
    {
        const std::string scratch = is_special(location) ? location : location + ".tmp";
        std::ofstream output(scratch, std::ios::binary | std::ios::trunc);
        writeBinaryPOD(output, maxelements_);
        writeBinaryPOD(output, size_per_element_);
        writeBinaryPOD(output, cur_element_count);
        output.write(data_, static_cast<std::streamsize>(cur_element_count * size_per_element_));
        const std::vector<char> nothing(size_per_element_);
        for (size_t i = cur_element_count; i < maxelements_ && output; i++)
            output.write(nothing.data(), static_cast<std::streamsize>(nothing.size()));
        output.close();
        if (output && (scratch == location || rename(scratch.c_str(), location.c_str()) == 0))
            return;
        if (scratch != location)
            remove(scratch.c_str());
        glue::cannot_save("Cannot write file " + location);
    }

    // Reads what saveIndex() of either library wrote. Throws std::runtime_error, and keeps what it had, when there is no
    // file or its size is not what it says.
    void loadIndex(const std::string &location, SpaceInterface<dist_t> *s)
    {
        std::ifstream input(location, std::ios::binary);
        if (!input.is_open())
            throw std::runtime_error("Cannot open file");
        size_t header[3];
        readBinaryPOD(input, header);
        const size_t row_size = s->get_data_size() + sizeof(labeltype), limit = header[0], count = header[2];
        input.seekg(0, input.end);
        const std::streamoff bytes = input.tellg();
        const bool whole = input && header[1] == row_size && count <= limit &&
                           (static_cast<uint64_t>(bytes) - sizeof header) / row_size >= count;
        if (!whole)
            throw std::runtime_error("Index seems to be corrupted or unsupported");
        char *data = allocate(limit, row_size);
        if (!data)
            throw std::runtime_error("Not enough memory: loadIndex failed to allocate data");
        input.seekg(sizeof header, input.beg);
        input.read(data, static_cast<std::streamsize>(count * row_size));
        if (!input) {
            free(data);
            throw std::runtime_error("Index seems to be corrupted or unsupported");
        }
        free(data_);
        data_ = data;
        maxelements_ = limit;
        cur_element_count = count;
        take(s);
        dict_external_to_internal.clear();
        for (size_t at = 0; at < count; at++)
            dict_external_to_internal[label_of(at)] = at;
    }

private:
    // What is written into, not replaced: a link, a device, a pipe.
    static bool is_special(const std::string &location)
    {
#if defined(_WIN32)
        (void)location;
        return false;
#else
        struct stat status;
        return lstat(location.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
#endif
    }
    static char *allocate(size_t rows, size_t row_size)
    {
        if (rows > (SIZE_MAX - 1) / row_size)
            return nullptr;
        return static_cast<char *>(malloc(rows * row_size + 1)); // 0 bytes may be NULL
    }
    void take(SpaceInterface<dist_t> *s)
    {
        data_size_ = s->get_data_size();
        fstdistfunc_ = s->get_dist_func();
        dist_func_param_ = s->get_dist_func_param();
        size_per_element_ = data_size_ + sizeof(labeltype);
    }
    char *row(size_t at) const { return data_ + at * size_per_element_; }
    labeltype label_of(size_t at) const
    {
        labeltype label;
        memcpy(&label, row(at) + data_size_, sizeof label);
        return label;
    }
    void measure(const void *query, size_t first, size_t count, dist_t *out) const
    {
        const uint32_t distance = glue::built_in<dist_t>(fstdistfunc_);
        const size_t value = distance == HNX_DISTANCE_L2_U8 ? 1 : sizeof(float);
        if (distance != HNX_DISTANCE_CALLBACK) {
            const size_t dim = *static_cast<const size_t *>(dist_func_param_);
            if (dim <= data_size_ / value &&
                hnx_distances(distance, dim, query, row(first), size_per_element_, count, out) == HNX_OK)
                return;
        }
        for (size_t i = 0; i < count; i++)
            out[i] = fstdistfunc_(query, row(first + i), dist_func_param_);
    }
};

} // namespace libhnx
} // namespace hnswlib

#include "hnswlib.h"
