// A filter of the host's.
#pragma once

#include "common.h"
#include "hnswlib.h"

namespace conformance
{

// Lets some labels pass, keeps account of the questions, fails on demand.
class Filter : public hnswlib::BaseFilterFunctor {
public:
    Filter(unsigned modulus, unsigned rest, int fails_at) : modulus_(modulus), rest_(rest), fails_at_(fails_at) {}
    bool allows(uint64_t label) const { return (label * 40503 >> 4) % modulus_ != rest_; }
    bool operator()(hnswlib::labeltype label) override
    {
        asked_.add(label);
        if (++calls_ == fails_at_)
            throw HostError{calls_};
        return allows(label);
    }
    std::string text() const { return " asked=" + std::to_string(calls_) + "," + asked_.text(); }

private:
    unsigned modulus_, rest_;
    int fails_at_, calls_ = 0;
    Hash asked_;
};

} // namespace conformance
