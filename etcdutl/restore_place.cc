#include "etcdutl/restore_place.h"

#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "etcdutl/files.h"
#include "server/base/status.h"
#include "server/image/restoring.h"

namespace etcd::etcdutl {
namespace {

constexpr std::string_view kLockName = "lock";

absl::Status Refuse(std::string message) {
  return base::MakeStatus(absl::StatusCode::kFailedPrecondition, std::move(message));
}

// Without "x/..", "./" and slashes at the end.
std::string Normal(const std::string& path) {
  std::string normal = std::filesystem::path(path).lexically_normal().string();
  while (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal;
}

std::string ParentOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

}  // namespace

RestorePlace::RestorePlace(base::FileSystem& file_system, std::string data_dir,
                           const std::string& wal_dir)
    : file_system_(file_system),
      data_dir_(std::move(data_dir)),
      building_(fmt::format("{}/{}", data_dir_, image::kRestoringName)),
      wal_building_(building_ + "/wal") {
  if (wal_dir.empty()) return;
  const std::string member = data_dir_ + "/member";
  const std::string normal = Normal(wal_dir);
  if (normal.starts_with(member + "/")) {
    wal_building_ = building_ + normal.substr(member.size());
    return;
  }
  wal_dir_ = normal;
  wal_building_ = normal + ".restoring";
}

absl::StatusOr<std::unique_ptr<RestorePlace>> RestorePlace::Take(base::FileSystem& file_system,
                                                                 const std::string& data_dir,
                                                                 const std::string& wal_dir) {
  std::unique_ptr<RestorePlace> place(new RestorePlace(file_system, Normal(data_dir), wal_dir));
  RETURN_IF_ERROR(place->CheckFree());
  place->is_new_ = !file_system.Exists(place->data_dir_);
  RETURN_IF_ERROR(place->Lock());
  place->is_mine_ = true;
  RETURN_IF_ERROR(place->MakeEmpty());
  return place;
}

RestorePlace::~RestorePlace() {
  if (!is_mine_) return;
  lock_.reset();
  base::IgnoreError(file_system_.RemoveAll(is_new_ ? data_dir_ : building_),
                    "the next restore removes it");
  if (!has_own_wal()) return;
  base::IgnoreError(file_system_.RemoveAll(wal_building_), "the next restore removes it");
}

absl::Status RestorePlace::CheckFree() const {
  const auto names = file_system_.List(data_dir_);
  bool is_free = names.ok() || absl::IsNotFound(names.status());
  for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
    const bool is_leftover =
        name == image::kRestoringName || data_dir_ + "/" + name == wal_building_;
    is_free = is_free && is_leftover;
  }
  if (!is_free) {
    return Refuse(fmt::format("data-dir \"{}\" not empty or could not be read", data_dir_));
  }
  if (has_own_wal() && file_system_.Exists(wal_dir_)) {
    return Refuse(fmt::format("wal-dir \"{}\" exists", wal_dir_));
  }
  return absl::OkStatus();
}

// The member's own lock, so that it has its place already.
absl::Status RestorePlace::Lock() {
  RETURN_IF_ERROR(file_system_.CreateDirs(building_));
  ASSIGN_OR_RETURN(lock_, file_system_.Open(fmt::format("{}/{}", building_, kLockName),
                                            base::OpenMode::kCreateOrTruncate));
  if (lock_->TryLock().ok()) return absl::OkStatus();
  return base::MakeStatus(absl::StatusCode::kUnavailable,
                          "another restore is at work in " + data_dir_);
}

absl::Status RestorePlace::MakeEmpty() {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system_.List(building_));
  for (const std::string& name : names) {
    if (name != kLockName) RETURN_IF_ERROR(file_system_.RemoveAll(building_ + "/" + name));
  }
  if (has_own_wal()) RETURN_IF_ERROR(file_system_.RemoveAll(wal_building_));
  RETURN_IF_ERROR(file_system_.CreateDirs(snap()));
  RETURN_IF_ERROR(file_system_.CreateDirs(engine()));
  return file_system_.CreateDirs(ParentOf(wal_building_));
}

absl::Status RestorePlace::Publish() {
  RETURN_IF_ERROR(RemoveTemporary(file_system_, wal_building_));
  for (const std::string& dir : {wal_building_, snap(), building_, data_dir_}) {
    RETURN_IF_ERROR(file_system_.SyncDir(dir));
  }
  if (has_own_wal()) {
    RETURN_IF_ERROR(file_system_.Rename(wal_building_, wal_dir_));
    wal_building_ = wal_dir_;
    RETURN_IF_ERROR(file_system_.SyncDir(ParentOf(wal_dir_)));
  }
  RETURN_IF_ERROR(file_system_.Rename(building_, data_dir_ + "/member"));
  is_mine_ = false;
  return file_system_.SyncDir(data_dir_);
}

}  // namespace etcd::etcdutl
