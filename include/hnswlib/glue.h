// Between hnswlib's classes and the C ABI: distances as keys, callbacks that may throw, errors as exceptions.
#pragma once

#include <exception>
#include <new>
#include <type_traits>

#include "interfaces.h"
#include "kernels.h"

namespace hnswlib
{
inline namespace libhnx
{
namespace glue
{

// The C ABI knows distances as 64-bit keys that have their order.

template <typename Number> typename std::enable_if<std::is_integral<Number>::value, int64_t>::type key_of(Number distance)
{
    if (std::is_unsigned<Number>::value && sizeof(Number) == sizeof(int64_t))
        return static_cast<int64_t>(static_cast<uint64_t>(distance) ^ (uint64_t(1) << 63));
    return static_cast<int64_t>(distance);
}
inline int64_t key_of(float distance)
{
    distance += 0.0f; // -0 is 0
    int32_t bits;
    memcpy(&bits, &distance, sizeof bits);
    return bits < 0 ? bits ^ INT32_MAX : bits;
}
inline int64_t key_of(double distance)
{
    distance += 0.0;
    int64_t bits;
    memcpy(&bits, &distance, sizeof bits);
    return bits < 0 ? bits ^ INT64_MAX : bits;
}
inline int64_t key_of(long double distance) { return key_of(static_cast<double>(distance)); }

template <typename Number> struct Key {
    static Number distance(int64_t key)
    {
        if (std::is_unsigned<Number>::value && sizeof(Number) == sizeof(int64_t))
            return static_cast<Number>(static_cast<uint64_t>(key) ^ (uint64_t(1) << 63));
        return static_cast<Number>(key);
    }
};
template <> struct Key<float> {
    static float distance(int64_t key)
    {
        const int32_t bits = static_cast<int32_t>(key < 0 ? key ^ INT32_MAX : key);
        float distance;
        memcpy(&distance, &bits, sizeof distance);
        return distance;
    }
};
template <> struct Key<double> {
    static double distance(int64_t key)
    {
        const int64_t bits = key < 0 ? key ^ INT64_MAX : key;
        double distance;
        memcpy(&distance, &bits, sizeof distance);
        return distance;
    }
};
template <> struct Key<long double> {
    static long double distance(int64_t key) { return Key<double>::distance(key); }
};

// Which of the library's own distances a function is, by whatever name a space gives it: those are measured inside the
// library, many at a time.
template <typename dist_t> uint32_t built_in(DISTFUNC<dist_t>) { return HNX_DISTANCE_CALLBACK; }
template <> inline uint32_t built_in<int>(DISTFUNC<int> function)
{
    const bool bytes = function == hnx_distance_l2_u8 || function == L2SqrI || function == L2SqrI4x;
    return bytes ? HNX_DISTANCE_L2_U8 : HNX_DISTANCE_CALLBACK;
}
template <> inline uint32_t built_in<float>(DISTFUNC<float> function)
{
    const DISTFUNC<float> l2[] = {
        hnx_distance_l2, L2Sqr,
#if defined(USE_SSE)
        L2SqrSIMD16ExtSSE, L2SqrSIMD16ExtResiduals, L2SqrSIMD4Ext, L2SqrSIMD4ExtResiduals,
#endif
#if defined(USE_AVX)
        L2SqrSIMD16ExtAVX,
#endif
#if defined(USE_AVX512)
        L2SqrSIMD16ExtAVX512,
#endif
    };
    const DISTFUNC<float> ip[] = {
        hnx_distance_ip, InnerProductDistance,
#if defined(USE_SSE)
        InnerProductDistanceSIMD16ExtSSE, InnerProductDistanceSIMD4ExtSSE, InnerProductDistanceSIMD16ExtResiduals,
        InnerProductDistanceSIMD4ExtResiduals,
#endif
#if defined(USE_AVX)
        InnerProductDistanceSIMD16ExtAVX, InnerProductDistanceSIMD4ExtAVX,
#endif
#if defined(USE_AVX512)
        InnerProductDistanceSIMD16ExtAVX512,
#endif
    };
    if (std::find(std::begin(l2), std::end(l2), function) != std::end(l2))
        return HNX_DISTANCE_L2;
    return std::find(std::begin(ip), std::end(ip), function) != std::end(ip) ? HNX_DISTANCE_IP : HNX_DISTANCE_CALLBACK;
}

// The words of this thread's last failure in the library.
inline std::string last_error()
{
    char text[513];
    hnx_last_error(text, sizeof text);
    return text;
}

// A file could not be written. hnswlib says nothing then; libhnx throws, unless the host was compiled so that exceptions
// must not leave it, as addons for Node are: then the text goes to HNSWERR. HNX_SAVE_NEVER_THROWS asks for that, too.
inline void cannot_save(const std::string &text)
{
#if defined(NAPI_DISABLE_CPP_EXCEPTIONS) || defined(HNX_SAVE_NEVER_THROWS)
    HNSWERR << text << std::endl;
#else
    throw std::runtime_error(text);
#endif
}

// The container of a priority_queue.
template <typename Queue> struct Inside : Queue {
    static typename Queue::container_type &of(Queue &queue) { return queue.*&Inside::c; }
};

// One call into the library on behalf of a host: what it may call back, what it found, and the exception that a callback
// threw. An exception ends the call with HNX_ERR_CANCELLED, so that none passes through the library, and goes on after it.
template <typename dist_t> struct Call {
    DISTFUNC<dist_t> function;
    const void *param;
    BaseFilterFunctor *filter = nullptr;
    BaseSearchStopCondition<dist_t> *stop = nullptr;
    std::vector<std::pair<dist_t, labeltype>> labels;
    std::vector<std::pair<dist_t, tableint>> ids;
    std::exception_ptr error;

    Call(DISTFUNC<dist_t> function_, const void *param_) : function(function_), param(param_) {}

    int32_t fail() noexcept
    {
        error = std::current_exception();
        return -1;
    }
    // Throws what a callback threw, or what went wrong.
    void check(hnx_status status)
    {
        if (error)
            std::rethrow_exception(error);
        if (status == HNX_ERR_OUT_OF_MEMORY)
            throw std::bad_alloc();
        if (status != HNX_OK)
            throw std::runtime_error(last_error());
    }

    static int32_t measure(void *context, const void *query, const void *const *rows, size_t count, int64_t *keys) noexcept
    {
        Call &call = *static_cast<Call *>(context);
        try {
            for (size_t i = 0; i < count; i++)
                keys[i] = key_of(call.function(query, rows[i], call.param));
            return 0;
        } catch (...) {
            return call.fail();
        }
    }
    static int32_t accept(void *context, uint64_t label) noexcept
    {
        Call &call = *static_cast<Call *>(context);
        try {
            return (*call.filter)(static_cast<labeltype>(label));
        } catch (...) {
            return call.fail();
        }
    }
    static int32_t emit_nearest_first(void *context, const hnx_hit *hits, size_t count) noexcept
    {
        Call &call = *static_cast<Call *>(context);
        try {
            call.labels.reserve(count);
            for (size_t i = 0; i < count; i++)
                call.labels.emplace_back(Key<dist_t>::distance(hits[i].key), static_cast<labeltype>(hits[i].label));
            return 0;
        } catch (...) {
            return call.fail();
        }
    }
    static int32_t emit_farthest_first(void *context, const hnx_hit *hits, size_t count) noexcept
    {
        const int32_t result = emit_nearest_first(context, hits, count);
        Call &call = *static_cast<Call *>(context);
        std::reverse(call.labels.begin(), call.labels.end());
        return result;
    }
    static int32_t emit_ids(void *context, const hnx_hit *hits, size_t count) noexcept
    {
        Call &call = *static_cast<Call *>(context);
        try {
            for (size_t i = 0; i < count; i++)
                call.ids.emplace_back(Key<dist_t>::distance(hits[i].key), hits[i].id);
            return 0;
        } catch (...) {
            return call.fail();
        }
    }

    static int32_t stop_add(void *context, uint64_t label, const void *data, int64_t key) noexcept
    {
        Call &call = *static_cast<Call *>(context);
        try {
            call.stop->add_point_to_result(static_cast<labeltype>(label), data, Key<dist_t>::distance(key));
            return 0;
        } catch (...) {
            return call.fail();
        }
    }
    static int32_t stop_remove(void *context, uint64_t label, const void *data, int64_t key) noexcept
    {
        Call &call = *static_cast<Call *>(context);
        try {
            call.stop->remove_point_from_result(static_cast<labeltype>(label), data, Key<dist_t>::distance(key));
            return 0;
        } catch (...) {
            return call.fail();
        }
    }
    static int32_t should_stop(void *context, int64_t candidate, int64_t bound) noexcept
    {
        Call &call = *static_cast<Call *>(context);
        try {
            return call.stop->should_stop_search(Key<dist_t>::distance(candidate), Key<dist_t>::distance(bound));
        } catch (...) {
            return call.fail();
        }
    }
    static int32_t should_consider(void *context, int64_t candidate, int64_t bound) noexcept
    {
        Call &call = *static_cast<Call *>(context);
        try {
            return call.stop->should_consider_candidate(Key<dist_t>::distance(candidate), Key<dist_t>::distance(bound));
        } catch (...) {
            return call.fail();
        }
    }
    static int32_t should_remove(void *context) noexcept
    {
        Call &call = *static_cast<Call *>(context);
        try {
            return call.stop->should_remove_extra();
        } catch (...) {
            return call.fail();
        }
    }

    // Searches; throws what there is to throw. cost is called before that, when the query says what the search cost.
    template <typename Cost> void search(const hnx_graph *graph, hnx_graph_query &query, Cost cost)
    {
        hnx_filter accepting = hnx_filter();
        hnx_stop stopping = hnx_stop();
        if (filter) {
            accepting.struct_size = sizeof accepting;
            accepting.accept = accept;
            accepting.context = this;
            query.filter = &accepting;
        }
        if (stop) {
            stopping.struct_size = sizeof stopping;
            stopping.context = this;
            stopping.add = stop_add;
            stopping.remove = stop_remove;
            stopping.should_stop = should_stop;
            stopping.should_consider = should_consider;
            stopping.should_remove = should_remove;
            query.stop = &stopping;
        }
        query.struct_size = sizeof query;
        query.context = this;
        const hnx_status status = hnx_graph_search(graph, &query);
        cost(query);
        check(status);
    }
};

} // namespace glue
} // namespace libhnx
} // namespace hnswlib
