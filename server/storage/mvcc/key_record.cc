#include "server/storage/mvcc/key_record.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "server/base/check.h"

namespace etcd::mvcc {

namespace {

// So many entries are moved without a thought of what it costs.
constexpr std::size_t kCheapMove = 1000;

}  // namespace

// Entries grow in place behind the header.
struct Record::History {
  Generation generation;
  std::uint32_t size;
  std::uint32_t capacity;

  RevEntry* entries() { return reinterpret_cast<RevEntry*>(this + 1); }
  const RevEntry* entries() const { return reinterpret_cast<const RevEntry*>(this + 1); }
  static std::size_t Bytes(std::uint32_t capacity) {
    return sizeof(History) + capacity * sizeof(RevEntry);
  }

  // `old` may be null.
  static History* Resize(History* old, std::uint32_t capacity) {
    void* memory = std::realloc(old, Bytes(capacity));
    CHECK(memory != nullptr) << "out of memory";
    auto* history = static_cast<History*>(memory);
    if (old == nullptr) history->size = 0;
    history->capacity = capacity;
    return history;
  }
};

Record* Record::Allocate(std::string_view key, Form form) {
  CHECK(key.size() < (1U << 30)) << "key too long";
  const std::size_t extra = form == Form::kCompacted ? sizeof(Generation) : 0;
  void* memory = std::malloc(std::max(kHeaderBytes + extra + key.size(), sizeof(Record)));
  CHECK(memory != nullptr) << "out of memory";
  auto* record = new (memory)
      Record(static_cast<std::uint32_t>(key.size()) | (static_cast<std::uint32_t>(form) << 30));
  std::memcpy(record->tail() + extra, key.data(), key.size());
  return record;
}

Record* Record::New(std::string_view key, RevEntry entry, Generation generation) {
  if (entry.is_tombstone()) {
    Record* record = Allocate(key, Form::kHistory);
    record->many_ = {History::Resize(nullptr, 1), 0};
    record->many_.history->generation = {};
    record->many_.history->size = 1;
    record->many_.history->entries()[0] = entry;
    return record;
  }
  const bool fresh = generation.create == entry.main && generation.version == 1;
  Record* record = Allocate(key, fresh ? Form::kSingle : Form::kCompacted);
  record->single_ = entry;
  if (!fresh) std::memcpy(record->tail(), &generation, sizeof generation);
  return record;
}

void Record::Free(Record* record) {
  if (record->form() == Form::kHistory) std::free(record->many_.history);
  std::free(record);
}

std::string_view Record::key() const {
  const std::size_t skip = form() == Form::kCompacted ? sizeof(Generation) : 0;
  return {tail() + skip, key_size()};
}

std::span<const RevEntry> Record::entries() const {
  if (form() != Form::kHistory) return {&single_, 1};
  return {many_.history->entries() + many_.first, many_.history->size - many_.first};
}

Generation Record::generation() const {
  switch (form()) {
    case Form::kSingle:
      return {single_.main, 1};
    case Form::kHistory:
      return many_.history->generation;
    case Form::kCompacted:
      break;
  }
  Generation generation;
  std::memcpy(&generation, tail(), sizeof generation);
  return generation;
}

const RevEntry* Record::FindAt(Revision at) const {
  const std::span<const RevEntry> all = entries();
  // Most reads are at the head.
  if (all.back().main <= at.value()) return &all.back();
  const auto above = std::upper_bound(
      all.begin(), all.end(), at.value(),
      [](std::int64_t limit, const RevEntry& entry) { return limit < entry.main; });
  return above == all.begin() ? nullptr : &*(above - 1);
}

Record* Record::Append(Record* record, RevEntry entry, Generation generation) {
  if (record->form() != Form::kHistory) {
    Record* grown = Allocate(record->key(), Form::kHistory);
    grown->many_ = {History::Resize(nullptr, 2), 0};
    grown->many_.history->size = 1;
    grown->many_.history->entries()[0] = record->single_;
    Free(record);
    record = grown;
  }
  History*& history = record->many_.history;
  if (history->size == history->capacity) {
    history = History::Resize(history, history->capacity + std::max(2U, history->capacity / 2));
  }
  history->entries()[history->size++] = entry;
  history->generation = entry.is_tombstone() ? Generation{} : generation;
  return record;
}

Record* Record::Compact(Record* record, Revision at, std::size_t max,
                        std::vector<RevEntry>& dropped) {
  if (record->form() != Form::kHistory) return record;
  const std::span<const RevEntry> all = record->entries();
  const RevEntry* kept = record->FindAt(at);
  if (kept == nullptr) return record;
  if (kept->is_tombstone() && kept->main < at.value()) ++kept;
  const std::size_t gone = std::min(static_cast<std::size_t>(kept - all.data()), max);
  dropped.insert(dropped.end(), all.begin(), all.begin() + static_cast<std::ptrdiff_t>(gone));
  const std::span<const RevEntry> rest = all.subspan(gone);
  if (rest.empty()) {
    Free(record);
    return nullptr;
  }
  if (rest.size() == 1 && !rest[0].is_tombstone()) {
    Record* small = New(record->key(), rest[0], record->generation());
    Free(record);
    return small;
  }
  if (gone == 0) return record;
  record->many_.first += static_cast<std::uint32_t>(gone);
  if (rest.size() > std::max<std::size_t>(kCheapMove, record->many_.first)) return record;
  History*& history = record->many_.history;
  std::memmove(history->entries(), rest.data(), rest.size_bytes());
  history->size = static_cast<std::uint32_t>(rest.size());
  record->many_.first = 0;
  if (history->capacity > 2 * history->size + 4) history = History::Resize(history, history->size);
  return record;
}

std::size_t Record::heap_bytes() const {
  const std::size_t extra = form() == Form::kCompacted ? sizeof(Generation) : 0;
  const std::size_t history =
      form() == Form::kHistory ? History::Bytes(many_.history->capacity) : 0;
  return kHeaderBytes + extra + key_size() + history;
}

}  // namespace etcd::mvcc
