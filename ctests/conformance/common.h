// What the conformance programs share: random decisions, printed lines, hashes, and the state of an index as one text.
//
// A program prints `# seed kind ...` for each sequence, then a line per operation, `. seed` at its end. run.py compares
// what two builds of it print. The following have a meaning there:
//   ~1.25            a number that may differ by rounding
//   => 7:1.5 3:2.25  a row of results, label and distance; equal distances at its end may belong to other labels
//   soft             in the head of a sequence: its distances are rounded, every kernel in its own way
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace conformance
{

// Decisions of a sequence: the same ones in every build, whatever the standard library's distributions do.
class Random {
public:
    explicit Random(uint64_t seed) : engine_(seed * 2654435761u + 99) {}

    uint64_t bits() { return engine_(); }
    size_t below(size_t limit) { return static_cast<size_t>(engine_() % limit); }
    int between(int low, int high) { return low + static_cast<int>(below(static_cast<size_t>(high - low) + 1)); }
    bool chance(int percent) { return between(0, 99) < percent; }
    double unit() { return static_cast<double>(engine_() >> 11) / 9007199254740992.0; }
    // A sum of uniform numbers: bell-shaped, without a library function that could round differently.
    double bell() { return unit() + unit() + unit() + unit() - 2; }
    template <class T> const T &of(const std::vector<T> &values) { return values[below(values.size())]; }

private:
    std::mt19937_64 engine_;
};

// FNV-1a over words and bytes.
class Hash {
public:
    void add(uint64_t word)
    {
        value_ = (value_ ^ word) * 1099511628211u;
        value_ ^= value_ >> 29;
    }
    void bytes(const void *data, size_t size)
    {
        const unsigned char *at = static_cast<const unsigned char *>(data);
        for (; size >= 8; at += 8, size -= 8) {
            uint64_t word;
            memcpy(&word, at, 8);
            add(word);
        }
        for (; size > 0; at++, size--)
            add(*at);
    }
    std::string text() const
    {
        char digits[24];
        snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(value_));
        return digits;
    }

private:
    uint64_t value_ = 14695981039346656037u;
};

inline std::string number(double value)
{
    char digits[40];
    snprintf(digits, sizeof digits, "%.17g", value);
    return digits;
}
inline std::string number(float value)
{
    char digits[40];
    snprintf(digits, sizeof digits, "%.9g", static_cast<double>(value));
    return digits;
}
inline std::string number(int value) { return std::to_string(value); }
inline std::string number(uint64_t value) { return std::to_string(value); }

// A printed line. It is written at once, so that a crash leaves the operation it happened in as the last line.
class Line {
public:
    ~Line()
    {
        text_ += '\n';
        fwrite(text_.data(), 1, text_.size(), stdout);
        fflush(stdout);
    }
    Line &operator<<(const std::string &part)
    {
        for (char c : part) // a text with a line break, too, makes one line
            text_ += c == '\n' ? '|' : c;
        return *this;
    }
    Line &operator<<(const char *part) { return *this << std::string(part); }
    template <class T> Line &operator<<(const std::atomic<T> &value) { return *this << value.load(); }
    template <class T> Line &operator<<(T value) { return *this << std::to_string(value); }

private:
    std::string text_;
};

// Nearest first.
template <class Row> std::string row_text(const Row &row)
{
    std::string text = " =>";
    for (const auto &entry : row)
        text += " " + std::to_string(entry.second) + ":" + number(entry.first);
    return text;
}

// The content of a heap in the order in which it hands it out, turned around: nearest first.
template <class Heap> std::vector<typename Heap::value_type> drained(Heap heap)
{
    std::vector<typename Heap::value_type> row;
    for (; !heap.empty(); heap.pop())
        row.push_back(heap.top());
    return std::vector<typename Heap::value_type>(row.rbegin(), row.rend());
}

// What the host's own callbacks throw; no std::exception, so nobody but the host can know it.
struct HostError {
    int number;
};

// Runs an operation and says what it threw.
inline bool attempt(Line &line, const std::function<void()> &operation)
{
    try {
        operation();
        return true;
    } catch (const std::bad_alloc &) {
        line << " !bad_alloc";
    } catch (const std::runtime_error &error) {
        line << " !" << error.what();
    } catch (const std::exception &error) {
        line << " !!" << error.what();
    } catch (const HostError &error) {
        line << " !host " << error.number;
    }
    return false;
}

// What is printed to a stream while this lives.
class Captured {
public:
    explicit Captured(std::ostream &stream) : stream_(stream), before_(stream.rdbuf(text_.rdbuf())) {}
    ~Captured() { stream_.rdbuf(before_); }
    std::string text() const { return text_.str(); }

private:
    std::ostringstream text_;
    std::ostream &stream_;
    std::streambuf *before_;
};

inline std::string file_bytes(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

inline void write_file(const std::string &path, const std::string &bytes)
{
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::string bytes_text(const std::string &bytes)
{
    Hash hash;
    hash.bytes(bytes.data(), bytes.size());
    return std::to_string(bytes.size()) + " bytes " + hash.text();
}

template <class Index> std::vector<unsigned> links(const Index &index, unsigned id, int level)
{
    auto *list = index.get_linklist_at_level(id, level);
    const unsigned *first = list + 1;
    return std::vector<unsigned>(first, first + index.getListCount(list));
}

// Levels, links and delete marks of all elements.
template <class Index> std::string links_hash(const Index &index)
{
    Hash hash;
    const unsigned count = static_cast<unsigned>(index.cur_element_count);
    for (unsigned id = 0; id < count; id++) {
        hash.add(static_cast<uint64_t>(index.element_levels_[id]) << 1 | (index.isMarkedDeleted(id) ? 1 : 0));
        for (int level = 0; level <= index.element_levels_[id]; level++) {
            const std::vector<unsigned> list = links(index, id, level);
            hash.add(list.size());
            for (unsigned neighbour : list)
                hash.add(neighbour);
        }
    }
    return hash.text();
}

// Labels and vectors of all elements.
template <class Index> std::string data_hash(const Index &index)
{
    Hash hash;
    const unsigned count = static_cast<unsigned>(index.cur_element_count);
    for (unsigned id = 0; id < count; id++) {
        hash.add(index.getExternalLabel(id));
        hash.bytes(index.getDataByInternalId(id), index.data_size_);
    }
    return hash.text();
}

// Both hash containers in the order in which a host would iterate over them.
template <class Index> std::string order_hash(const Index &index)
{
    Hash hash;
    for (const auto &entry : index.label_lookup_) {
        hash.add(entry.first);
        hash.add(entry.second);
    }
    for (auto id : index.deleted_elements)
        hash.add(id);
    return hash.text();
}

template <class Index> std::string levels_hash(const Index &index)
{
    Hash hash;
    for (size_t i = 0; i < index.element_levels_.size(); i++)
        hash.add(static_cast<uint64_t>(index.element_levels_[i]));
    return std::to_string(index.element_levels_.size()) + "," + hash.text();
}

template <class Index> std::string state_text(const Index &index)
{
    std::ostringstream text;
    text << " | n=" << index.cur_element_count << " del=" << index.num_deleted_ << " max=" << index.max_elements_
         << " ep=" << index.enterpoint_node_ << " top=" << index.maxlevel_ << " links=" << links_hash(index)
         << " data=" << data_hash(index) << " order=" << order_hash(index) << " levels=" << levels_hash(index)
         << " draws=" << index.level_generator_ << "," << index.update_probability_generator_;
    return text.str();
}

// The whole graph, for a look at a difference.
template <class Index> void print_graph(const Index &index)
{
    const unsigned count = static_cast<unsigned>(index.cur_element_count);
    for (unsigned id = 0; id < count; id++) {
        Line line;
        line << "    " << id << " label " << index.getExternalLabel(id) << (index.isMarkedDeleted(id) ? " x" : "");
        for (int level = 0; level <= index.element_levels_[id]; level++) {
            line << " /";
            for (unsigned neighbour : links(index, id, level))
                line << " " << neighbour;
        }
    }
}

template <class Index> bool finds_live(const Index &index, unsigned from, int level)
{
    std::vector<bool> seen(index.cur_element_count);
    std::vector<unsigned> open(1, from);
    seen[from] = true;
    while (!open.empty()) {
        const unsigned id = open.back();
        open.pop_back();
        if (!index.isMarkedDeleted(id))
            return true;
        for (unsigned neighbour : links(index, id, level)) {
            if (!seen[neighbour])
                open.push_back(neighbour);
            seen[neighbour] = true;
        }
    }
    return false;
}

// Adding a new element is defined in the original only if a search from wherever the descent ends finds an element that
// is not deleted; otherwise it takes the last of no neighbours.
template <class Index> bool can_add(const Index &index)
{
    const unsigned count = static_cast<unsigned>(index.cur_element_count);
    if (count == 0 || index.isMarkedDeleted(index.enterpoint_node_))
        return true;
    for (unsigned id = 0; id < count; id++) {
        if (!index.isMarkedDeleted(id))
            continue;
        for (int level = 0; level <= index.element_levels_[id]; level++) {
            if (!finds_live(index, id, level))
                return false;
        }
    }
    return true;
}

// checkIntegrity asserts that every element has a link to it, which updates do not promise.
template <class Index> bool all_linked_to(const Index &index)
{
    const unsigned count = static_cast<unsigned>(index.cur_element_count);
    std::vector<bool> linked(count, count < 2);
    for (unsigned id = 0; id < count; id++) {
        for (int level = 0; level <= index.element_levels_[id]; level++) {
            for (unsigned neighbour : links(index, id, level))
                linked[neighbour] = true;
        }
    }
    for (bool one : linked) {
        if (!one)
            return false;
    }
    return true;
}

struct Arguments {
    uint64_t first = 1, last = 1;
    std::string folder = ".";
    bool host_kernels = false; // the host computes all distances, so rounding is the same everywhere
    bool verbose = false;      // the whole graph after each operation
};

// PROGRAM FIRST LAST FOLDER [host] [verbose]
inline Arguments arguments(int argc, char **argv)
{
    Arguments result;
    if (argc < 4) {
        fprintf(stderr, "%s FIRST_SEED LAST_SEED FOLDER [host] [verbose]\n", argv[0]);
        exit(2);
    }
    result.first = strtoull(argv[1], nullptr, 10);
    result.last = strtoull(argv[2], nullptr, 10);
    result.folder = argv[3];
    for (int i = 4; i < argc; i++) {
        result.host_kernels |= strcmp(argv[i], "host") == 0;
        result.verbose |= strcmp(argv[i], "verbose") == 0;
    }
    return result;
}

} // namespace conformance
