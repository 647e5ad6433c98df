#include "server/main/data_dir.h"

#include <algorithm>
#include <sys/stat.h>
#include <vector>

#include <fmt/format.h>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/image/restoring.h"
#include "server/wal/wal.h"

namespace etcd::server {
namespace {

constexpr std::uint32_t kPermissions = 0700;

void WarnOfPermissions(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return;
  const std::uint32_t mode = info.st_mode & 0777;
  if (mode == kPermissions) return;
  LOG_WARN("check file permission",
           {"error", fmt::format("directory \"{}\" exist, but the permission is 0{:o}; 0700 keeps "
                                 "other users out",
                                 path, mode)});
}

// Refuses what is no directory and names what does not belong there.
absl::Status Inspect(base::FileSystem& file_system, const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return absl::OkStatus();  // to be created
  if (!S_ISDIR(info.st_mode)) {
    return base::MakeStatus(absl::StatusCode::kFailedPrecondition,
                            fmt::format("{} is not a directory", path));
  }
  WarnOfPermissions(path);
  ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system.List(path));
  if (std::ranges::find(names, image::kRestoringName) != names.end()) {
    return base::MakeStatus(
        absl::StatusCode::kFailedPrecondition,
        fmt::format("{}/{}: a restore did not come to its end; run `etcdutl snapshot restore` "
                    "again, or remove this folder if another one is wanted",
                    path, image::kRestoringName));
  }
  const bool member = std::ranges::find(names, "member") != names.end();
  const bool proxy = std::ranges::find(names, "proxy") != names.end();
  if (member && proxy) {
    return base::MakeStatus(absl::StatusCode::kFailedPrecondition,
                            "invalid datadir; both member and proxy directories exist");
  }
  if (proxy) {
    return base::MakeStatus(absl::StatusCode::kFailedPrecondition,
                            "the directory belongs to a v2 HTTP proxy, which this server is not");
  }
  for (const std::string& name : names) {
    if (name == "member" || name == "proxy") continue;
    LOG_WARN("found invalid file under data directory", {"filename", name}, {"data-dir", path});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataDir>> DataDir::Open(base::FileSystem& file_system,
                                                       const std::string& path,
                                                       const std::string& wal_dir) {
  RETURN_IF_ERROR(Inspect(file_system, path));
  std::unique_ptr<DataDir> dir(new DataDir(path, wal_dir.empty() ? path + "/member/wal" : wal_dir));
  dir->has_log_ = wal::Exists(file_system, dir->wal_);
  RETURN_IF_ERROR(file_system.CreateDirs(dir->snap()));
  if (!wal_dir.empty()) RETURN_IF_ERROR(file_system.CreateDirs(wal_dir));
  const std::string lock = path + "/member/lock";
  ASSIGN_OR_RETURN(dir->lock_, file_system.Open(lock, file_system.Exists(lock)
                                                          ? base::OpenMode::kReadWrite
                                                          : base::OpenMode::kCreateOrTruncate));
  RETURN_IF_ERROR(dir->lock_->TryLock());
  return dir;
}

void DataDir::GiveUpReserve(base::FileSystem& file_system) const {
  const auto names = file_system.List(wal_);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    if (!name.ends_with(".tmp")) continue;
    const std::string path = wal_ + "/" + name;
    if (const absl::Status removed = file_system.Remove(path); !removed.ok()) {
      LOG_WARN("failed to remove the log's reserve", {"path", path}, {"error", removed});
      continue;
    }
    LOG_WARN("gave up the log's reserve: no space left on device", {"path", path});
  }
}

}  // namespace etcd::server
