#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/base/file_system.h"

namespace etcd::server {

// --unsafe-no-fsync: everything but the waiting for the disk.
class NoSyncFileSystem final : public base::FileSystem {
 public:
  explicit NoSyncFileSystem(base::FileSystem& inner) : inner_(inner) {}

  absl::StatusOr<std::unique_ptr<base::File>> Open(const std::string& path, base::OpenMode mode,
                                                   std::uint32_t permissions) override {
    auto file = inner_.Open(path, mode, permissions);
    if (!file.ok()) return file.status();
    return std::make_unique<NoSyncFile>(*std::move(file));
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override {
    return inner_.List(dir);
  }
  bool Exists(const std::string& path) override { return inner_.Exists(path); }
  absl::Status CreateDirs(const std::string& dir) override { return inner_.CreateDirs(dir); }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return inner_.Rename(from, to);
  }
  absl::Status Remove(const std::string& path) override { return inner_.Remove(path); }
  absl::Status RemoveAll(const std::string& path) override { return inner_.RemoveAll(path); }
  absl::Status SyncDir(const std::string&) override { return absl::OkStatus(); }
  absl::StatusOr<std::uint64_t> FreeBytes(const std::string& path) override {
    return inner_.FreeBytes(path);
  }

 private:
  class NoSyncFile final : public base::File {
   public:
    explicit NoSyncFile(std::unique_ptr<base::File> inner) : inner_(std::move(inner)) {}
    absl::Status WriteAt(std::uint64_t offset, std::string_view data) override {
      return inner_->WriteAt(offset, data);
    }
    absl::StatusOr<std::string> ReadAt(std::uint64_t offset, std::size_t size) const override {
      return inner_->ReadAt(offset, size);
    }
    absl::StatusOr<std::uint64_t> Size() const override { return inner_->Size(); }
    absl::Status Truncate(std::uint64_t size) override { return inner_->Truncate(size); }
    absl::Status Preallocate(std::uint64_t size) override { return inner_->Preallocate(size); }
    absl::Status Sync() override { return absl::OkStatus(); }
    absl::Status TryLock() override { return inner_->TryLock(); }

   private:
    std::unique_ptr<base::File> inner_;
  };

  base::FileSystem& inner_;
};

}  // namespace etcd::server
