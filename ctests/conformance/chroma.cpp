// Random sequences on the surface of chroma-hnswlib 0.7.1: its constructors, normalised vectors, persisted directories.
//
// Left out is what is not defined or wrong in the original. What its persistDirty() forgets to write (the first element,
// neighbours of an update) is marked before, so that both have to write everything.
#include <algorithm>

#include "filter.h"
#include "vectors.h"

namespace
{

using namespace conformance;

typedef hnswlib::HierarchicalNSW<float> Index;

struct Setup {
    size_t dim, capacity, m, ef_construction, random_seed;
    bool replace, normalize, persistent, inner_product;
    Flavour flavour;

    bool soft() const { return flavour == ROUNDED; }
};

Setup random_setup(Random &random)
{
    Setup setup = Setup();
    setup.normalize = random.chance(50);
    setup.persistent = random.chance(70);
    setup.inner_product = setup.normalize || random.chance(30);
    setup.dim = static_cast<size_t>(random.between(setup.normalize ? 6 : 1, 40));
    setup.capacity = static_cast<size_t>(random.between(60, 400));
    setup.m = static_cast<size_t>(random.chance(40) ? random.between(2, 5) : random.between(2, 24));
    setup.ef_construction = static_cast<size_t>(random.between(5, 120));
    setup.random_seed = random.below(1000);
    setup.replace = random.chance(55);
    // At unit length normalising is exact: the length is a power of two.
    setup.flavour = setup.normalize ? UNIT_LENGTH : random.chance(25) ? COARSE : FINE;
    if (random.chance(20))
        setup.flavour = ROUNDED;
    return setup;
}

class Sequence {
public:
    Sequence(Random &random, const Setup &setup, hnswlib::SpaceInterface<float> &space, const Arguments &given)
        : random_(random), setup_(setup), space_(space), given_(given), folder_(given.folder + "/directory"),
          path_(given.folder + "/index"),
          vectors_(random, setup.dim, setup.inner_product ? INNER_PRODUCT : L2, setup.flavour)
    {
        mkdir(folder_.c_str(), 0777);
        make();
    }
    ~Sequence()
    {
        index_.reset();
        for (const char *name : names())
            unlink((folder_ + "/" + name).c_str());
        rmdir(folder_.c_str());
        unlink(path_.c_str());
    }

    void run()
    {
        static void (Sequence::*const operations[])() = {
            &Sequence::add,    &Sequence::add,       &Sequence::add,      &Sequence::update,      &Sequence::update,
            &Sequence::remove, &Sequence::restore,   &Sequence::replace,  &Sequence::replace,     &Sequence::search,
            &Sequence::search, &Sequence::get,       &Sequence::get,      &Sequence::resize,      &Sequence::save_and_load,
            &Sequence::persist, &Sequence::persist_and_load, &Sequence::misuse, &Sequence::fields, &Sequence::normalize,
            &Sequence::integrity,
        };
        add();
        for (int left = random_.between(20, 60); left > 0; left--)
            (this->*operations[random_.below(sizeof operations / sizeof *operations)])();
        persist_and_load();
        add();
        for (int i = 0; i < 4; i++)
            search();
    }

private:
    static const std::vector<const char *> &names()
    {
        static const std::vector<const char *> all = {"header.bin", "data_level0.bin", "length.bin", "link_lists.bin"};
        return all;
    }

    // Either way of saying that the index is not a persistent one.
    void make()
    {
        if (setup_.persistent)
            index_.reset(new Index(&space_, setup_.capacity, setup_.m, setup_.ef_construction, setup_.random_seed,
                                   setup_.replace, setup_.normalize, true, folder_));
        else if (random_.chance(50))
            index_.reset(new Index(&space_, setup_.capacity, setup_.m, setup_.ef_construction, setup_.random_seed,
                                   setup_.replace, setup_.normalize));
        else
            index_.reset(new Index(&space_, setup_.capacity, setup_.m, setup_.ef_construction, setup_.random_seed,
                                   setup_.replace, setup_.normalize, false, ""));
        Line line;
        line << "0 made" << state_text(*index_);
        print_files(line);
    }

    Line &operation(const char *name)
    {
        line_.reset(new Line);
        return *line_ << ++number_ << " " << name;
    }
    void close_line()
    {
        *line_ << state_text(*index_) << " lengths=" << lengths_hash();
        line_.reset();
        if (given_.verbose)
            print_graph(*index_);
    }

    std::string lengths_hash() const
    {
        Hash hash;
        if (setup_.normalize)
            hash.bytes(index_->length_memory_, index_->cur_element_count * sizeof(float));
        return hash.text();
    }

    // The four files as far as they mean something: behind that the original writes memory that was never set.
    void print_files(Line &line)
    {
        if (!setup_.persistent)
            return;
        const size_t count = index_->cur_element_count;
        size_t lists = 0;
        for (size_t id = 0; id < count; id++)
            lists += 4 + static_cast<size_t>(index_->element_levels_[id]) * index_->size_links_per_element_;
        const size_t sizes[] = {100, count * index_->size_data_per_element_, setup_.normalize ? count * sizeof(float) : 0, lists};
        for (size_t at = 0; at < 4; at++)
            line << " " << bytes_text(file_bytes(folder_ + "/" + names()[at]).substr(0, sizes[at]));
    }

    std::vector<float> vector()
    {
        std::vector<float> x(setup_.dim);
        vectors_.fill(x.data());
        return x;
    }
    // As Chroma asks: at length 1.
    std::vector<float> query()
    {
        std::vector<float> x = vector();
        if (setup_.normalize)
            index_->normalize_vector(x.data(), x.data(), x.size());
        return x;
    }
    hnswlib::labeltype new_label()
    {
        for (;;) {
            const hnswlib::labeltype label = random_.chance(70) ? random_.below(3000) : random_.bits();
            if (index_->label_lookup_.find(label) == index_->label_lookup_.end())
                return label;
        }
    }
    bool some_label(bool live, hnswlib::labeltype &label)
    {
        std::vector<hnswlib::labeltype> labels;
        const unsigned count = static_cast<unsigned>(index_->cur_element_count);
        for (unsigned id = 0; id < count; id++) {
            if (index_->isMarkedDeleted(id) != live)
                labels.push_back(index_->getExternalLabel(id));
        }
        if (labels.empty())
            return false;
        label = random_.of(labels);
        return true;
    }

    void add()
    {
        operation("add");
        attempt(*line_, [&] {
            for (int left = random_.between(1, 30); left > 0 && can_add(*index_); left--) {
                const hnswlib::labeltype label = new_label();
                *line_ << " " << label;
                index_->addPoint(vector().data(), label);
            }
        });
        close_line();
    }
    void update()
    {
        hnswlib::labeltype label;
        if (!some_label(random_.chance(75), label))
            return;
        operation("update") << " " << label;
        attempt(*line_, [&] { index_->addPoint(vector().data(), label); });
        close_line();
    }
    void replace()
    {
        if (index_->deleted_elements.empty() && !can_add(*index_))
            return;
        operation("replace");
        attempt(*line_, [&] { index_->addPoint(vector().data(), new_label(), true); });
        close_line();
    }
    void remove()
    {
        operation("delete");
        for (int left = random_.between(1, 4); left > 0; left--) {
            hnswlib::labeltype label = new_label();
            if (random_.chance(95))
                some_label(!random_.chance(6), label);
            if (index_->num_deleted_ * 3 >= index_->cur_element_count)
                break;
            *line_ << " " << label;
            attempt(*line_, [&] { index_->markDelete(label); });
        }
        close_line();
    }
    void restore()
    {
        hnswlib::labeltype label = new_label();
        some_label(random_.chance(10), label);
        operation("undelete") << " " << label;
        attempt(*line_, [&] { index_->unmarkDelete(label); });
        close_line();
    }

    void search()
    {
        const std::vector<float> asked = query();
        Filter allowed(static_cast<unsigned>(random_.between(2, 5)), static_cast<unsigned>(random_.below(4)),
                       random_.chance(10) ? random_.between(1, 20) : 0);
        hnswlib::BaseFilterFunctor *filter = random_.chance(40) ? &allowed : nullptr;
        const size_t k = 1 + random_.below(20);
        if (random_.chance(30))
            index_->setEf(1 + random_.below(100));
        operation("search") << " " << k;
        attempt(*line_, [&] {
            if (random_.chance(50))
                *line_ << row_text(index_->searchKnnCloserFirst(asked.data(), k, filter));
            else
                *line_ << row_text(drained(index_->searchKnn(asked.data(), k, filter)));
        });
        operation("asked") << (filter ? allowed.text() : "");
        line_.reset();
    }

    // With the length multiplied back.
    void get()
    {
        hnswlib::labeltype label = new_label();
        some_label(!random_.chance(15), label);
        operation("get") << " " << label;
        attempt(*line_, [&] {
            for (float value : index_->getDataByLabel<float>(label))
                *line_ << " ~" << number(value);
        });
        line_.reset();
    }

    void resize()
    {
        const size_t count = index_->cur_element_count;
        const size_t size = random_.chance(20) ? random_.below(count + 1) : count + random_.below(count + 60);
        operation("resize") << " " << size + 1;
        attempt(*line_, [&] { index_->resizeIndex(size + 1); });
        close_line();
    }

    // A single file; afterwards the index has no directory any more.
    void save_and_load()
    {
        if (setup_.persistent && !random_.chance(20))
            return;
        operation("save");
        attempt(*line_, [&] { index_->saveIndex(path_); });
        const std::string bytes = file_bytes(path_);
        const size_t count = index_->cur_element_count, records = 96 + count * index_->size_data_per_element_;
        *line_ << " " << bytes.size() << " " << bytes_text(bytes.substr(0, records)) << " "
               << bytes_text(bytes.substr(std::min(bytes.size(), records + 4 * count)));
        line_.reset();
        const size_t capacity = count == 0 || random_.chance(60) ? count + 1 + random_.below(80) : random_.below(count + 1);
        operation("load") << " " << capacity;
        setup_.persistent = false;
        setup_.replace = random_.chance(50);
        attempt(*line_, [&] {
            index_.reset(new Index(&space_, path_, random_.chance(50), capacity, setup_.replace, setup_.normalize,
                                   false));
        });
        close_line();
    }

    void persist()
    {
        if (!setup_.persistent)
            return;
        operation("persist");
        const unsigned count = static_cast<unsigned>(index_->cur_element_count);
        for (unsigned id = 0; id < count; id++)
            index_->markElementToPersist(id);
        attempt(*line_, [&] { index_->persistDirty(); });
        *line_ << " dirty " << index_->elements_to_persist_.size();
        print_files(*line_);
        persisted_ = count > 0;
        close_line();
        if (!random_.chance(40))
            return;
        // What is marked by itself is enough, as long as nothing is updated.
        operation("persist more");
        for (int left = random_.between(0, 12); left > 0 && persisted_ && can_add(*index_); left--)
            attempt(*line_, [&] { index_->addPoint(vector().data(), new_label()); });
        attempt(*line_, [&] { index_->persistDirty(); });
        if (persisted_)
            print_files(*line_);
        close_line();
    }

    void persist_and_load()
    {
        if (!setup_.persistent)
            return;
        persist();
        const size_t count = index_->cur_element_count;
        const size_t capacity = count == 0 || random_.chance(60) ? count + 1 + random_.below(80) : random_.below(count + 1);
        setup_.replace = random_.chance(50);
        operation("open") << " " << capacity;
        attempt(*line_, [&] {
            index_.reset(); // one at a time
            index_.reset(new Index(&space_, folder_, random_.chance(50), capacity, setup_.replace, setup_.normalize, true));
            *line_ << " ef " << index_->ef_;
        });
        print_files(*line_);
        close_line();
    }

    // Calls that must throw, and open nothing.
    void misuse()
    {
        operation("misuse");
        attempt(*line_, [&] { Index(&space_, 10, 4, 10, 1, false, setup_.normalize, true, ""); });
        attempt(*line_, [&] { Index(&space_, path_ + ".missing", false, 0, false, setup_.normalize, true); });
        attempt(*line_, [&] { Index(&space_, path_ + ".missing", false, 0, false, setup_.normalize, false); });
        if (!setup_.persistent) {
            std::ofstream header(path_ + ".header", std::ios::binary);
            attempt(*line_, [&] { index_->initPersistentIndex(); });
            attempt(*line_, [&] { index_->persistHeader(header); });
            unlink((path_ + ".header").c_str());
            if (index_->cur_element_count > 0) {
                index_->markElementToPersist(0);
                attempt(*line_, [&] { index_->persistDirty(); });
            }
        } else {
            std::ofstream header(path_ + ".header", std::ios::binary);
            attempt(*line_, [&] { index_->persistHeader(header); });
            *line_ << " " << bytes_text(file_bytes(path_ + ".header"));
            unlink((path_ + ".header").c_str());
            damaged_header();
        }
        close_line();
    }

    // Another version of the directory is refused. In a copy: libhnx minds when somebody else writes into its directory.
    void damaged_header()
    {
        const std::string copy = folder_ + ".copy";
        mkdir(copy.c_str(), 0777);
        for (const char *name : {"/header.bin", "/data_level0.bin", "/length.bin", "/link_lists.bin"}) {
            std::string bytes = file_bytes(folder_ + name);
            if (name == std::string("/header.bin"))
                bytes[0] = 2;
            write_file(copy + name, bytes);
        }
        attempt(*line_, [&] { Index(&space_, copy, false, 0, false, setup_.normalize, true); });
    }

    void fields()
    {
        Index &i = *index_;
        operation("fields") << " " << i.max_elements_ << " " << i.size_data_per_element_ << " " << i.size_links_per_element_ << " "
                            << i.M_ << " " << i.maxM_ << " " << i.maxM0_ << " " << i.ef_construction_ << " " << i.ef_ << " "
                            << number(i.mult_) << " " << number(i.revSize_) << " " << i.offsetData_ << " " << i.label_offset_
                            << " " << i.data_size_ << " " << i.normalize_ << " " << i.persist_on_write_ << " "
                            << i.allow_replace_deleted_ << " " << i.getMaxElements() << " " << i.getCurrentElementCount() << " "
                            << i.getDeletedCount() << " " << hnswlib::PERSISTENCE_VERSION << " "
                            << (i.visited_list_pool_ ? "pool" : "no pool");
        if (setup_.persistent) { // the folder is another one in each run
            const size_t skip = folder_.size();
            *line_ << " " << i.persist_location_.substr(skip) << i.getHeaderLocation().substr(skip)
                   << i.getDataLevel0Location().substr(skip) << i.getLengthLocation().substr(skip)
                   << i.getLinkListLocation().substr(skip);
        }
        line_.reset();
    }

    void normalize()
    {
        std::vector<float> x = vector(), y(x.size());
        operation("normalize") << " ~" << number(index_->normalize_vector(x.data(), y.data(), x.size()));
        for (float value : y)
            *line_ << " ~" << number(value);
        const float length = index_->normalize_vector(x.data(), x.data(), x.size());
        *line_ << " " << (x == y) << (length > 0);
        line_.reset();
    }

    void integrity()
    {
        if (!all_linked_to(*index_))
            return;
        operation("integrity ");
        Captured printed(std::cout);
        index_->checkIntegrity();
        *line_ << printed.text();
        line_.reset();
    }

    Random &random_;
    Setup setup_;
    hnswlib::SpaceInterface<float> &space_;
    const Arguments &given_;
    std::string folder_, path_;
    Vectors<float> vectors_;
    std::unique_ptr<Index> index_;
    std::unique_ptr<Line> line_;
    int number_ = 0;
    bool persisted_ = false;
};

void run_one(uint64_t seed, const Arguments &given)
{
    Random random(seed);
    const Setup setup = random_setup(random);
    hnswlib::L2Space l2(setup.dim);
    hnswlib::InnerProductSpace inner_product(setup.dim);
    HostSpace<float> host(setup.dim, setup.dim * sizeof(float), setup.inner_product ? host_inner_product : host_l2);
    hnswlib::SpaceInterface<float> *space = &l2;
    if (given.host_kernels)
        space = &host;
    else if (setup.inner_product)
        space = &inner_product;
    Line() << "# " << seed << " chroma " << (setup.inner_product ? "ip " : "l2 ") << flavour_name(setup.flavour) << " dim "
           << setup.dim << " capacity " << setup.capacity << " M " << setup.m << " ef " << setup.ef_construction << " seed "
           << setup.random_seed << (setup.replace ? " replace" : "") << (setup.normalize ? " normalize" : "")
           << (setup.persistent ? " persistent" : "") << (setup.soft() ? " soft" : "");
    Sequence(random, setup, *space, given).run();
}

} // namespace

int main(int argc, char **argv)
{
    const Arguments given = arguments(argc, argv);
    for (uint64_t seed = given.first; seed <= given.last; seed++) {
        run_one(seed, given);
        Line() << ". " << seed;
    }
}
