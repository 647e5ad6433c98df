#pragma once

#include <memory>
#include <optional>

#include "server/storage/mvcc/store_impl.h"

// Private to the folder.
namespace etcd::mvcc {

class TxnImpl final : public WriteTxn {
 public:
  explicit TxnImpl(StoreImpl& store) : store_(store), base_(store.current_) {}
  ~TxnImpl() override;  // adds up what it did

  Revision next_revision() const override { return base_ + 1; }
  Revision revision() const override { return changed() ? base_ + 1 : base_; }
  bool changed() const override { return sub_ > 0; }
  absl::StatusOr<RangeResult> Range(const RangeSpec& spec) const override;
  absl::Status Fetch(std::span<const KvRef> refs,
                     absl::FunctionRef<void(std::size_t, std::string_view)> each) const override;
  std::optional<KvRef> Find(std::string_view key) const override;
  std::optional<KvRef> Put(std::string_view key, std::string_view value, LeaseId lease) override;
  std::int64_t DeleteRange(const KeyRange& range,
                           absl::FunctionRef<void(std::string_view, const KvRef&)> each) override;

 private:
  RevisionPair NextSub();
  // Adds the record to both families of the batch and to the revision's changes.
  void Record(ChangeRecord change, std::string stored, std::string rev_record);
  void SetPrevious(ChangeRecord& change, std::string_view key, const KvRef& previous) const;
  void Delete(std::string_view key, const KvRef& previous);

  StoreImpl& store_;
  const Revision base_;   // current before this transaction
  std::int64_t sub_ = 0;  // of the next change
  mutable std::uint64_t ranges_ = 0;
  std::uint64_t puts_ = 0;
  std::uint64_t put_bytes_ = 0;
  std::uint64_t deletes_ = 0;
};

}  // namespace etcd::mvcc
