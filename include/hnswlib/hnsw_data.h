// chroma-hnswlib's index in memory: the contents of a directory's four files in buffers of the caller's.
#pragma once

#include "interfaces.h"

namespace hnswlib
{
inline namespace libhnx
{

// Four buffers and their sizes. T: char to write to, const char to read from.
template <typename T> class HnswData {
public:
    T *header_buffer = nullptr;
    size_t header_size = 0;
    T *data_level0_buffer = nullptr;
    size_t data_level0_size = 0;
    T *length_buffer = nullptr;
    size_t length_size = 0;
    T *link_list_buffer = nullptr;
    size_t link_list_size = 0;

    HnswData() {}
    HnswData(T *header, size_t header_bytes, T *data_level0, size_t data_level0_bytes, T *length, size_t length_bytes,
             T *link_list, size_t link_list_bytes)
        : header_buffer(header), header_size(header_bytes), data_level0_buffer(data_level0),
          data_level0_size(data_level0_bytes), length_buffer(length), length_size(length_bytes), link_list_buffer(link_list),
          link_list_size(link_list_bytes)
    {
    }

    // The same buffers, to be read from.
    HnswData<const char> getView() const
    {
        return HnswData<const char>(header_buffer, header_size, data_level0_buffer, data_level0_size, length_buffer,
                                    length_size, link_list_buffer, link_list_size);
    }

    // Whether the files of a directory hold the same bytes; prints which does not. What is longer has zeros at its end:
    // records that are not there yet.
    bool matchesWithDirectory(const std::string &directory) const
    {
        const HnswData<const char> view = getView();
        bool same = matches(directory + "/header.bin", view.header_buffer, view.header_size);
        same = matches(directory + "/data_level0.bin", view.data_level0_buffer, view.data_level0_size) && same;
        same = matches(directory + "/length.bin", view.length_buffer, view.length_size) && same;
        return matches(directory + "/link_lists.bin", view.link_list_buffer, view.link_list_size) && same;
    }

private:
    static bool matches(const std::string &path, const char *buffer, size_t size)
    {
        std::ifstream file(path, std::ios::binary);
        const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
        const size_t both = std::min(size, bytes.size());
        const auto is_zero = [](char byte) { return byte == 0; };
        const bool same = file.is_open() && std::equal(buffer, buffer + both, bytes.begin()) &&
                          std::all_of(buffer + both, buffer + size, is_zero) &&
                          std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(both), bytes.end(), is_zero);
        if (!same)
            std::cout << path << " differs\n";
        return same;
    }
};

typedef HnswData<char> HnswDataMut;
typedef HnswData<const char> HnswDataView;

// A stream over memory that somebody else owns.
class in_membuf : public std::streambuf {
public:
    in_membuf(const char *base, size_t size)
    {
        char *first = const_cast<char *>(base);
        setg(first, first, first + size);
    }

protected:
    pos_type seekoff(off_type offset, std::ios_base::seekdir way, std::ios_base::openmode) override
    {
        char *from = way == std::ios_base::beg ? eback() : way == std::ios_base::cur ? gptr() : egptr();
        if (offset < eback() - from || offset > egptr() - from)
            return pos_type(off_type(-1));
        setg(eback(), from + offset, egptr());
        return pos_type(gptr() - eback());
    }
    pos_type seekpos(pos_type position, std::ios_base::openmode which) override
    {
        return seekoff(off_type(position), std::ios_base::beg, which);
    }
};

class memistream : private in_membuf, public std::istream {
public:
    memistream(const char *base, size_t size) : in_membuf(base, size), std::istream(static_cast<in_membuf *>(this)) {}
};

// Streams over the contents of the four files.
struct InputPersistenceStreams {
    std::istream *header = nullptr;
    std::istream *data_level0 = nullptr;
    std::istream *length = nullptr;
    std::istream *link_lists = nullptr;
};

namespace glue
{

template <typename T> hnx_graph_buffers buffers_of(const HnswData<T> &data)
{
    hnx_graph_buffers buffers = hnx_graph_buffers();
    buffers.struct_size = sizeof buffers;
    buffers.header = const_cast<char *>(data.header_buffer);
    buffers.header_size = data.header_size;
    buffers.records = const_cast<char *>(data.data_level0_buffer);
    buffers.records_size = data.data_level0_size;
    buffers.lengths = const_cast<char *>(data.length_buffer);
    buffers.lengths_size = data.length_size;
    buffers.lists = const_cast<char *>(data.link_list_buffer);
    buffers.lists_size = data.link_list_size;
    return buffers;
}

} // namespace glue
} // namespace libhnx
} // namespace hnswlib
