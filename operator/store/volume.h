#pragma once

#include <string>

#include "operator/store/object_store.h"
#include "server/base/file_system.h"

namespace etcd::store {

// A folder on a mounted volume (operator-spec 10.2). A file is written as `<key>.part`, synced and
// renamed, so that it is there as a whole or not at all, also after a power cut. Reasons of errors:
// DestinationFull, DestinationRefused, BadObject.
class VolumeStore final : public ObjectStore {
 public:
  // `root` is where the volume, or a folder of it, is mounted; `claim` is for people.
  VolumeStore(std::string root, std::string claim, base::FileSystem& files);

  absl::StatusOr<ObjectInfo> PutFile(const std::string& key, const LocalFile& file,
                                     const std::string& owner) override;
  absl::Status PutText(const std::string& key, std::string_view text) override;
  absl::StatusOr<std::optional<ObjectInfo>> Head(const std::string& key) override;
  absl::Status Get(const std::string& key, const ByteSink& sink) override;
  absl::StatusOr<std::vector<ObjectInfo>> List(const std::string& prefix) override;
  absl::Status Delete(const std::string& key) override;
  std::string UriOf(const std::string& key) const override;

 private:
  absl::StatusOr<std::string> PathOf(const std::string& key) const;
  using Fill = std::function<absl::Status(base::File& part)>;
  absl::Status Put(const std::string& key, const Fill& fill);
  absl::Status Explain(const absl::Status& status) const;

  const std::string root_;
  const std::string claim_;
  base::FileSystem& files_;
};

}  // namespace etcd::store
