#include <utility>

#include "server/base/status.h"
#include "server/storage/engine/rocks_engine_impl.h"

namespace etcd::engine {
namespace {

class RocksIterator final : public Iterator {
 public:
  RocksIterator(rocksdb::DB& db, std::shared_ptr<const Families> families, Family family,
                std::shared_ptr<Health> health,
                std::pair<std::string_view, std::string_view> bounds, rocksdb::ReadOptions options)
      : families_(std::move(families)),
        health_(std::move(health)),
        lower_(bounds.first),
        upper_(bounds.second),
        lower_slice_(lower_),
        upper_slice_(upper_) {
    options.iterate_lower_bound = &lower_slice_;
    if (!upper_.empty()) options.iterate_upper_bound = &upper_slice_;
    it_.reset(db.NewIterator(options, (*families_)[family]));
    it_->Seek(lower_slice_);
  }

  bool Valid() const override { return it_->Valid(); }
  void Next() override { it_->Next(); }
  void Seek(std::string_view target) override { it_->Seek(ToSlice(target)); }
  std::string_view key() const override { return ToView(it_->key()); }
  std::string_view value() const override { return ToView(it_->value()); }
  absl::Status status() const override { return ToReadStatus(it_->status(), *health_); }

 private:
  const std::shared_ptr<const Families> families_;  // outlives it_
  const std::shared_ptr<Health> health_;
  const std::string lower_;
  const std::string upper_;
  const rocksdb::Slice lower_slice_;  // RocksDB keeps the addresses of the bounds
  const rocksdb::Slice upper_slice_;
  std::unique_ptr<rocksdb::Iterator> it_;
};

}  // namespace

class RocksView final : public View {
 public:
  explicit RocksView(const RocksEngine& engine)
      : engine_(engine), at_{engine.families(), engine.db_->GetSnapshot()} {}
  ~RocksView() override { engine_.db_->ReleaseSnapshot(at_.snapshot); }

  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 std::string_view key) const override {
    return engine_.GetAt(at_, family, key);
  }
  std::unique_ptr<Iterator> Scan(Family family, std::string_view lower,
                                 std::string_view upper) const override {
    return engine_.ScanAt(at_, family, lower, upper);
  }

 private:
  const RocksEngine& engine_;
  const RocksEngine::ReadPoint at_;
};

absl::StatusOr<std::optional<std::string>> RocksEngine::Get(Family family,
                                                            std::string_view key) const {
  return GetAt({families()}, family, key);
}

absl::StatusOr<std::optional<std::string>> RocksEngine::GetAt(const ReadPoint& at, Family family,
                                                              std::string_view key) const {
  std::string value;
  rocksdb::ReadOptions options;
  options.snapshot = at.snapshot;
  const rocksdb::Status status = db_->Get(options, (*at.families)[family], ToSlice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  RETURN_IF_ERROR(ToReadStatus(status, *health_));
  return std::optional<std::string>(std::move(value));
}

absl::Status RocksEngine::MultiGet(
    Family family, std::span<const std::string_view> keys,
    absl::FunctionRef<absl::Status(std::size_t, std::optional<std::string_view>)> each) const {
  const rocksdb::ReadOptions options;
  const FamiliesPtr content = families();
  rocksdb::ColumnFamilyHandle* const handle = (*content)[family];
  if (keys.size() == 1) {
    rocksdb::PinnableSlice value;
    const rocksdb::Status status = db_->Get(options, handle, ToSlice(keys[0]), &value);
    if (status.IsNotFound()) return each(0, std::nullopt);
    RETURN_IF_ERROR(ToReadStatus(status, *health_));
    return each(0, ToView(value));
  }
  std::vector<rocksdb::Slice> slices;
  slices.reserve(keys.size());
  for (const std::string_view key : keys) slices.push_back(ToSlice(key));
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  db_->MultiGet(options, handle, keys.size(), slices.data(), values.data(), statuses.data());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].IsNotFound()) {
      RETURN_IF_ERROR(each(i, std::nullopt));
      continue;
    }
    RETURN_IF_ERROR(ToReadStatus(statuses[i], *health_));
    RETURN_IF_ERROR(each(i, ToView(values[i])));
  }
  return absl::OkStatus();
}

std::unique_ptr<Iterator> RocksEngine::Scan(Family family, std::string_view lower,
                                            std::string_view upper) const {
  return ScanAt({families()}, family, lower, upper);
}

std::unique_ptr<Iterator> RocksEngine::ScanAt(ReadPoint at, Family family, std::string_view lower,
                                              std::string_view upper) const {
  rocksdb::ReadOptions options;
  options.snapshot = at.snapshot;
  // Scans of records pass once over much; they must not push out what point reads use.
  options.fill_cache = family == Family::kMeta;
  return std::make_unique<RocksIterator>(*db_, std::move(at.families), family, health_,
                                         std::pair(lower, upper), options);
}

std::unique_ptr<View> RocksEngine::PinView() const { return std::make_unique<RocksView>(*this); }

}  // namespace etcd::engine
