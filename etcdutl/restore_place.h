#pragma once

#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/base/file_system.h"

namespace etcd::etcdutl {

// The directories of a member that is being restored, under names on which no server starts, until
// Publish gives them their own. Destroyed before that, it removes what was built.
class RestorePlace {
 public:
  // Makes the folders, empty, in place of those of a restore that was killed. `wal_dir` "": within
  // the data directory. kFailedPrecondition with etcd's text when there is something already;
  // kUnavailable while another restore works here.
  static absl::StatusOr<std::unique_ptr<RestorePlace>> Take(base::FileSystem& file_system,
                                                            const std::string& data_dir,
                                                            const std::string& wal_dir);
  ~RestorePlace();
  RestorePlace(const RestorePlace&) = delete;
  RestorePlace& operator=(const RestorePlace&) = delete;

  std::string engine() const { return building_ + "/rocksdb"; }
  std::string snap() const { return building_ + "/snap"; }
  const std::string& wal() const { return wal_building_; }

  // Syncs the folders and renames them, the member's last. Close engine and log before.
  absl::Status Publish();

 private:
  RestorePlace(base::FileSystem& file_system, std::string data_dir, const std::string& wal_dir);
  absl::Status CheckFree() const;
  absl::Status Lock();
  absl::Status MakeEmpty();
  bool has_own_wal() const { return !wal_dir_.empty(); }

  base::FileSystem& file_system_;
  const std::string data_dir_;
  const std::string building_;
  std::string wal_dir_;  // outside of the member's folder; "": within
  std::string wal_building_;
  bool is_new_ = false;   // the data directory was made here
  bool is_mine_ = false;  // what is there may be removed
  std::unique_ptr<base::File> lock_;
};

}  // namespace etcd::etcdutl
