#include "server/storage/engine/mem_engine.h"

#include <algorithm>
#include <utility>

#include "server/base/check.h"
#include "server/base/status.h"
#include "server/storage/engine/replace.h"

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
  // At `sequence`, which is pinned already, or as of now.
  SnapshotIterator(const MemEngine& engine, std::optional<std::uint64_t> sequence, Family family,
                   std::pair<std::string_view, std::string_view> bounds)
      : engine_(engine),
        family_(family),
        lower_(bounds.first),
        upper_(bounds.second),
        sequence_(engine.Pin(sequence)) {
    Seek(lower_);
  }
  ~SnapshotIterator() override { engine_.Unpin(sequence_); }

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
  const std::uint64_t sequence_;
  bool valid_ = false;
  std::string key_;
  std::string value_;
};

class MemEngine::SnapshotView final : public View {
 public:
  explicit SnapshotView(const MemEngine& engine)
      : engine_(engine), sequence_(engine.Pin(std::nullopt)) {}
  ~SnapshotView() override { engine_.Unpin(sequence_); }

  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 std::string_view key) const override {
    const SnapshotIterator at(engine_, sequence_, family, {key, ""});
    if (!at.Valid() || at.key() != key) return std::optional<std::string>();
    return std::optional<std::string>(at.value());
  }
  std::unique_ptr<Iterator> Scan(Family family, std::string_view lower,
                                 std::string_view upper) const override {
    return std::make_unique<SnapshotIterator>(engine_, sequence_, family, std::pair(lower, upper));
  }

 private:
  const MemEngine& engine_;
  const std::uint64_t sequence_;
};

class MemEngine::MemReplacement final : public Replacement {
 public:
  explicit MemReplacement(MemEngine& engine) : engine_(engine) {}
  ~MemReplacement() override {
    const base::MutexLock lock(engine_.mu_);
    engine_.replacing_ = false;
  }

  absl::Status Write(const WriteBatch& batch) override {
    if (!engine_.AcceptsWrites()) return NoSpace();
    content_.push_back(batch);
    return absl::OkStatus();
  }
  absl::Status Commit() override { return engine_.ReplaceAll(content_); }

 private:
  MemEngine& engine_;
  std::vector<WriteBatch> content_;
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
  return std::make_unique<SnapshotIterator>(*this, std::nullopt, family, std::pair(lower, upper));
}

std::uint64_t MemEngine::Pin(std::optional<std::uint64_t> sequence) const {
  const base::MutexLock lock(mu_);
  return *snapshots_.insert(sequence.value_or(sequence_));
}

void MemEngine::Unpin(std::uint64_t sequence) const {
  const base::MutexLock lock(mu_);
  snapshots_.erase(snapshots_.find(sequence));
}

std::unique_ptr<View> MemEngine::PinView() const { return std::make_unique<SnapshotView>(*this); }

absl::StatusOr<std::unique_ptr<Replacement>> MemEngine::StartReplacement() {
  const base::MutexLock lock(mu_);
  if (replacing_) {
    return base::MakeStatus(absl::StatusCode::kFailedPrecondition,
                            "the content of the engine is being replaced already");
  }
  replacing_ = true;
  return std::unique_ptr<Replacement>(std::make_unique<MemReplacement>(*this));
}

absl::Status MemEngine::ReplaceAll(const std::vector<WriteBatch>& content) {
  const base::MutexLock lock(mu_);
  if (full_) return NoSpace();
  ++sequence_;
  for (std::size_t i = 0; i < kFamilies; ++i) {
    std::vector<std::string> old;
    for (const auto& [key, versions] : tables_[i]) {
      if (versions.back().value) old.push_back(key);
    }
    for (const std::string& key : old) Set(static_cast<Family>(i), key, std::nullopt);
  }
  for (const WriteBatch& batch : content) {
    for (const WriteBatch::Op& op : batch.ops()) {
      if (!op.is_delete) {
        Set(op.family, op.key, op.value);
      } else if (Newest(op.family, op.key) != nullptr) {
        Set(op.family, op.key, std::nullopt);
      }
    }
  }
  unflushed_.clear();  // durable in one step
  return absl::OkStatus();
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
