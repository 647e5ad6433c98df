#include "server/storage/engine/mem_engine.h"

#include <algorithm>
#include <utility>

#include "server/base/check.h"
#include "server/base/status.h"

namespace etcd::engine {
namespace {

absl::Status NoSpace() {
  return base::MakeStatus(absl::StatusCode::kResourceExhausted, "no space left on device");
}

}  // namespace

// Reads the versions at or below its sequence; takes the engine's lock for each move, so it may be
// used while others write.
class MemEngine::SnapshotIterator final : public Iterator {
 public:
  SnapshotIterator(const MemEngine& engine, Family family, std::string_view lower,
                   std::string_view upper)
      : engine_(engine), family_(family), lower_(lower), upper_(upper) {
    const base::MutexLock lock(engine_.mu_);
    sequence_ = engine_.sequence_;
    engine_.snapshots_.insert(sequence_);
    Settle(engine_.table(family_).lower_bound(lower_));
  }
  ~SnapshotIterator() override {
    const base::MutexLock lock(engine_.mu_);
    engine_.snapshots_.erase(engine_.snapshots_.find(sequence_));
  }

  bool Valid() const override { return valid_; }
  void Next() override {
    const base::MutexLock lock(engine_.mu_);
    Settle(engine_.table(family_).upper_bound(key_));
  }
  void Seek(std::string_view target) override {
    const base::MutexLock lock(engine_.mu_);
    Settle(engine_.table(family_).lower_bound(std::max(target, std::string_view(lower_))));
  }
  std::string_view key() const override { return key_; }
  std::string_view value() const override { return value_; }
  absl::Status status() const override { return absl::OkStatus(); }

 private:
  // Moves on to the first key that existed at the snapshot.
  void Settle(Table::const_iterator at) {
    const Table& entries = engine_.table(family_);
    for (; at != entries.end() && (upper_.empty() || at->first < upper_); ++at) {
      const std::vector<Version>& versions = at->second;
      auto newest = versions.rbegin();
      while (newest != versions.rend() && newest->sequence > sequence_) ++newest;
      if (newest == versions.rend() || !newest->value) continue;
      valid_ = true;
      key_ = at->first;
      value_ = *newest->value;
      return;
    }
    valid_ = false;
  }

  const MemEngine& engine_;
  const Family family_;
  const std::string lower_;
  const std::string upper_;
  std::uint64_t sequence_ = 0;
  bool valid_ = false;
  std::string key_;
  std::string value_;
};

MemEngine::MemEngine(MemEngineOptions options) : options_(options), random_(options.seed) {}

MemEngine::~MemEngine() { CHECK(snapshots_.empty()) << "an iterator outlives its engine"; }

const std::optional<std::string>* MemEngine::Newest(Family family, std::string_view key) const {
  const auto found = table(family).find(key);
  return found == table(family).end() ? nullptr : &found->second.back().value;
}

void MemEngine::Set(Family family, const std::string& key, std::optional<std::string> value) {
  if (const auto* before = Newest(family, key); before != nullptr && *before) {
    bytes_ -= key.size() + (*before)->size();
  }
  if (value) bytes_ += key.size() + value->size();
  const bool deleted = !value;
  std::vector<Version>& versions = table(family)[key];
  if (snapshots_.empty()) versions.clear();
  versions.push_back({sequence_, std::move(value)});
  if (deleted && snapshots_.empty()) table(family).erase(key);
}

absl::Status MemEngine::Write(const WriteBatch& batch) {
  const base::MutexLock lock(mu_);
  if (full_) return NoSpace();
  ++sequence_;
  std::vector<Undo>& undo = unflushed_.emplace_back();
  undo.reserve(batch.ops().size());
  for (const WriteBatch::Op& op : batch.ops()) {
    const auto* before = Newest(op.family, op.key);
    undo.push_back({op.family, op.key, before == nullptr ? std::nullopt : *before});
    if (op.is_delete) {
      if (before != nullptr) Set(op.family, op.key, std::nullopt);
    } else {
      Set(op.family, op.key, op.value);
    }
  }
  if (options_.spontaneous_flush_one_in != 0 &&
      random_.Below(options_.spontaneous_flush_one_in) == 0) {
    unflushed_.clear();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> MemEngine::Get(Family family,
                                                          std::string_view key) const {
  const base::MutexLock lock(mu_);
  const auto* newest = Newest(family, key);
  return newest == nullptr ? std::optional<std::string>() : *newest;
}

absl::Status MemEngine::MultiGet(
    Family family, std::span<const std::string_view> keys,
    absl::FunctionRef<absl::Status(std::size_t, std::optional<std::string_view>)> each) const {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    // Copied out, so that `each` runs without the lock.
    ASSIGN_OR_RETURN(const std::optional<std::string> value, Get(family, keys[i]));
    RETURN_IF_ERROR(each(i, value ? std::optional<std::string_view>(*value) : std::nullopt));
  }
  return absl::OkStatus();
}

std::unique_ptr<Iterator> MemEngine::Scan(Family family, std::string_view lower,
                                          std::string_view upper) const {
  return std::make_unique<SnapshotIterator>(*this, family, lower, upper);
}

absl::Status MemEngine::Flush() {
  const base::MutexLock lock(mu_);
  if (full_) return NoSpace();
  unflushed_.clear();
  return absl::OkStatus();
}

EngineSize MemEngine::Size() const {
  const base::MutexLock lock(mu_);
  return {bytes_, bytes_};
}

bool MemEngine::AcceptsWrites() const {
  const base::MutexLock lock(mu_);
  return !full_;
}

void MemEngine::SetFull(bool full) {
  const base::MutexLock lock(mu_);
  full_ = full;
}

std::size_t MemEngine::unflushed_batches() const {
  const base::MutexLock lock(mu_);
  return unflushed_.size();
}

void MemEngine::RollBack(std::size_t batches) {
  CHECK(snapshots_.empty()) << "an iterator is alive across a crash";
  ++sequence_;
  for (; batches > 0; --batches) {
    std::vector<Undo>& undo = unflushed_.back();
    for (auto op = undo.rbegin(); op != undo.rend(); ++op) {
      if (op->before || Newest(op->family, op->key) != nullptr) {
        Set(op->family, op->key, std::move(op->before));
      }
    }
    unflushed_.pop_back();
  }
  unflushed_.clear();  // what is left was durable
}

void MemEngine::Crash(std::uint64_t seed) {
  const base::MutexLock lock(mu_);
  base::SeededRandom draw(seed);
  std::size_t lost = unflushed_.size();
  if (draw.Below(2) == 0) lost = static_cast<std::size_t>(draw.Below(lost + 1));
  RollBack(lost);
}

void MemEngine::CrashToLastFlush() {
  const base::MutexLock lock(mu_);
  RollBack(unflushed_.size());
}

}  // namespace etcd::engine
