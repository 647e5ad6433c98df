#pragma once

#include "server/storage/mvcc/key_index.h"

// Private to the key index: how its lock is taken.
namespace etcd::mvcc {

class ABSL_SCOPED_LOCKABLE KeyIndex::ReadGuard {
 public:
  explicit ReadGuard(const KeyIndex& index) ABSL_SHARED_LOCK_FUNCTION(index.mu_) : index_(index) {
    if (index_.writers_waiting_.load(std::memory_order_relaxed) != 0) {
      const base::MutexLock wait(index_.turnstile_);
    }
    index_.mu_.LockShared();
  }
  ~ReadGuard() ABSL_UNLOCK_FUNCTION() { index_.mu_.UnlockShared(); }
  ReadGuard(const ReadGuard&) = delete;
  ReadGuard& operator=(const ReadGuard&) = delete;

 private:
  const KeyIndex& index_;
};

class ABSL_SCOPED_LOCKABLE KeyIndex::WriteGuard {
 public:
  explicit WriteGuard(const KeyIndex& index) ABSL_EXCLUSIVE_LOCK_FUNCTION(index.mu_)
      : index_(index) {
    index_.writers_waiting_.fetch_add(1, std::memory_order_relaxed);
    const base::MutexLock first(index_.turnstile_);
    index_.mu_.Lock();
    index_.writers_waiting_.fetch_sub(1, std::memory_order_relaxed);
  }
  ~WriteGuard() ABSL_UNLOCK_FUNCTION() { index_.mu_.Unlock(); }
  WriteGuard(const WriteGuard&) = delete;
  WriteGuard& operator=(const WriteGuard&) = delete;

 private:
  const KeyIndex& index_;
};

}  // namespace etcd::mvcc
