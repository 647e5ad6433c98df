#include "operator/store/volume.h"

#include <algorithm>

#include <fmt/format.h>

#include "operator/store/digest.h"
#include "server/base/status.h"

namespace etcd::store {
namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;
constexpr std::string_view kPartSuffix = ".part";

std::string FolderOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

// Relative, and every part of it a name.
bool IsPlain(std::string_view key) {
  while (true) {
    const std::size_t slash = key.find('/');
    const std::string_view part = key.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == std::string_view::npos) return true;
    key.remove_prefix(slash + 1);
  }
}

absl::Status Copy(const base::File& source, std::uint64_t size, base::File& target) {
  for (std::uint64_t offset = 0; offset < size; offset += kPieceBytes) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, size - offset));
    ASSIGN_OR_RETURN(const std::string piece, source.ReadAt(offset, wanted));
    if (piece.size() != wanted) return base::DataLoss("the file became shorter");
    RETURN_IF_ERROR(target.WriteAt(offset, piece));
  }
  return absl::OkStatus();
}

}  // namespace

VolumeStore::VolumeStore(std::string root, std::string claim, base::FileSystem& files)
    : root_(std::move(root)), claim_(std::move(claim)), files_(files) {}

std::string VolumeStore::UriOf(const std::string& key) const {
  return fmt::format("pvc://{}/{}", claim_, key);
}

absl::StatusOr<std::string> VolumeStore::PathOf(const std::string& key) const {
  if (!IsPlain(key)) {
    return Failure(absl::StatusCode::kInvalidArgument, "DestinationRefused",
                   fmt::format("{} is no path within a volume; leave out . and ..", key));
  }
  return root_ + "/" + key;
}

absl::Status VolumeStore::Explain(const absl::Status& status) const {
  if (status.ok() || absl::IsNotFound(status)) return status;
  if (absl::IsResourceExhausted(status)) {
    return Failure(status.code(), "DestinationFull",
                   fmt::format("the volume {} is full; make it larger or keep fewer backups: {}",
                               claim_, base::MessageOf(status)));
  }
  return Failure(status.code(), "DestinationRefused",
                 fmt::format("the volume {} cannot be used: {}", claim_, base::MessageOf(status)));
}

absl::Status VolumeStore::Put(const std::string& key, const Fill& fill) {
  ASSIGN_OR_RETURN(const std::string path, PathOf(key));
  const std::string part = path + std::string(kPartSuffix);
  const auto write = [&]() -> absl::Status {
    RETURN_IF_ERROR(files_.CreateDirs(FolderOf(path)));
    ASSIGN_OR_RETURN(const auto file, files_.Open(part, base::OpenMode::kCreateOrTruncate));
    RETURN_IF_ERROR(fill(*file));
    RETURN_IF_ERROR(file->Sync());
    RETURN_IF_ERROR(files_.Rename(part, path));
    return files_.SyncDir(FolderOf(path));
  };
  const absl::Status status = write();
  if (!status.ok()) base::IgnoreError(files_.Remove(part), "the error before is the one to tell");
  return Explain(status);
}

absl::StatusOr<ObjectInfo> VolumeStore::PutFile(const std::string& key, const LocalFile& local,
                                                const std::string&) {
  ASSIGN_OR_RETURN(const auto source, files_.Open(local.path, base::OpenMode::kRead));
  const Fill copy = [&](base::File& part) { return Copy(*source, local.size, part); };
  RETURN_IF_ERROR(Put(key, copy));
  return ObjectInfo{.key = key, .size = local.size};
}

absl::Status VolumeStore::PutText(const std::string& key, std::string_view text) {
  return Put(key, [&](base::File& part) { return part.WriteAt(0, text); });
}

absl::StatusOr<std::optional<ObjectInfo>> VolumeStore::Head(const std::string& key) {
  ASSIGN_OR_RETURN(const std::string path, PathOf(key));
  const auto file = files_.Open(path, base::OpenMode::kRead);
  if (absl::IsNotFound(file.status())) return std::optional<ObjectInfo>();
  if (!file.ok()) return Explain(file.status());
  ASSIGN_OR_RETURN(const std::uint64_t size, (*file)->Size());
  return std::optional<ObjectInfo>(ObjectInfo{.key = key, .size = size});
}

absl::Status VolumeStore::Get(const std::string& key, const ByteSink& sink) {
  ASSIGN_OR_RETURN(const std::string path, PathOf(key));
  const auto file = files_.Open(path, base::OpenMode::kRead);
  if (absl::IsNotFound(file.status())) {
    return Failure(absl::StatusCode::kNotFound, "BadObject",
                   fmt::format("there is no file {}", UriOf(key)));
  }
  if (!file.ok()) return Explain(file.status());
  for (std::uint64_t offset = 0;;) {
    const auto piece = (*file)->ReadAt(offset, kPieceBytes);
    if (!piece.ok()) return Explain(piece.status());
    if (piece->empty()) return absl::OkStatus();
    RETURN_IF_ERROR(sink(*piece));
    offset += piece->size();
  }
}

absl::StatusOr<std::vector<ObjectInfo>> VolumeStore::List(const std::string& prefix) {
  const std::size_t slash = prefix.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : prefix.substr(0, slash + 1);
  const auto names = files_.List(root_ + "/" + folder);
  if (absl::IsNotFound(names.status())) return std::vector<ObjectInfo>();
  if (!names.ok()) return Explain(names.status());
  std::vector<ObjectInfo> objects;
  for (const std::string& name : *names) {
    const std::string key = folder + name;
    if (!key.starts_with(prefix) || key.ends_with(kPartSuffix)) continue;
    if (files_.List(root_ + "/" + key).ok()) continue;  // a folder
    ASSIGN_OR_RETURN(const std::optional<ObjectInfo> info, Head(key));
    if (info) objects.push_back(*info);  // else somebody just removed it
    if (objects.size() > kListMax) {
      return Failure(absl::StatusCode::kResourceExhausted, "DestinationRefused",
                     fmt::format("there are more than {} files in {}", kListMax, UriOf(folder)));
    }
  }
  return objects;
}

absl::Status VolumeStore::Delete(const std::string& key) {
  ASSIGN_OR_RETURN(const std::string path, PathOf(key));
  const absl::Status status = files_.Remove(path);
  if (absl::IsNotFound(status)) return absl::OkStatus();
  RETURN_IF_ERROR(Explain(status));
  return Explain(files_.SyncDir(FolderOf(path)));
}

}  // namespace etcd::store
