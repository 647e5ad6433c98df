#include "operator/worker/transfer.h"

#include <memory>
#include <optional>

#include <fmt/format.h>

#include "operator/backup/naming.h"
#include "operator/store/sigv4.h"
#include "operator/worker/zstd_stream.h"
#include "server/base/sha256.h"
#include "server/base/status.h"

namespace etcd::worker {
namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;

// Appends to a file and hashes what it appends.
class HashedFile {
 public:
  explicit HashedFile(base::File& file) : file_(file) {}
  absl::Status Add(std::string_view bytes) {
    hash_.Add(bytes);
    const std::uint64_t at = size_;
    size_ += bytes.size();
    return file_.WriteAt(at, bytes);
  }
  std::uint64_t size() const { return size_; }
  std::string FinishHex() { return store::HexOf(hash_.Finish()); }

 private:
  base::File& file_;
  base::Sha256 hash_;
  std::uint64_t size_ = 0;
};

absl::Status ForEachPiece(const base::File& file, const ByteSink& sink) {
  for (std::uint64_t offset = 0;;) {
    ASSIGN_OR_RETURN(const std::string piece, file.ReadAt(offset, kPieceBytes));
    if (piece.empty()) return absl::OkStatus();
    RETURN_IF_ERROR(sink(piece));
    offset += piece.size();
  }
}

absl::Status Altered(const std::string& uri, const std::string& why) {
  return store::Failure(absl::StatusCode::kDataLoss, "BackupAltered",
                        fmt::format("{} is not what was stored: {}; use another backup", uri, why));
}

// Gives the stored bytes to `sink` and compares them at the end.
absl::Status ReadChecked(store::ObjectStore& store, const std::string& key,
                         const model::BackupArtifact& expected, const ByteSink& sink) {
  base::Sha256 hash;
  std::uint64_t size = 0;
  const std::uint64_t size_max =
      expected.stored_size ? static_cast<std::uint64_t>(*expected.stored_size) : ~std::uint64_t{0};
  RETURN_IF_ERROR(store.Get(key, [&](std::string_view bytes) {
    size += bytes.size();
    if (size > size_max) return Altered(store.UriOf(key), "it is longer");
    hash.Add(bytes);
    return sink(bytes);
  }));
  if (expected.stored_size && size != size_max) {
    return Altered(store.UriOf(key),
                   fmt::format("it has {} bytes instead of {}", size, *expected.stored_size));
  }
  const std::string found = store::HexOf(hash.Finish());
  if (expected.sha256 && found != *expected.sha256) {
    return Altered(store.UriOf(key),
                   fmt::format("its SHA-256 is {} instead of {}", found, *expected.sha256));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<store::LocalFile> MakeStored(base::FileSystem& files, const std::string& path,
                                            model::Compression compression) {
  ASSIGN_OR_RETURN(const auto source, files.Open(path, base::OpenMode::kRead));
  if (compression == model::Compression::kNone) {
    base::Sha256 hash;
    std::uint64_t size = 0;
    RETURN_IF_ERROR(ForEachPiece(*source, [&](std::string_view bytes) {
      hash.Add(bytes);
      size += bytes.size();
      return absl::OkStatus();
    }));
    return store::LocalFile{.path = path, .size = size, .sha256 = store::HexOf(hash.Finish())};
  }
  if (compression != model::Compression::kZstd) {
    return store::Failure(absl::StatusCode::kInvalidArgument, "InvalidSpec",
                          "compression must be Zstd or None");
  }
  store::LocalFile stored{.path = path + ".zst"};
  ASSIGN_OR_RETURN(const auto file, files.Open(stored.path, base::OpenMode::kCreateOrTruncate));
  HashedFile out(*file);
  ZstdCompressor compressor([&](std::string_view bytes) { return out.Add(bytes); });
  RETURN_IF_ERROR(
      ForEachPiece(*source, [&](std::string_view bytes) { return compressor.Add(bytes); }));
  RETURN_IF_ERROR(compressor.Finish());
  stored.size = out.size();
  stored.sha256 = out.FinishHex();
  return stored;
}

absl::Status ReadStored(store::ObjectStore& store, const std::string& key,
                        const model::BackupArtifact& expected, std::uint64_t bytes_max,
                        base::FileSystem& files, const std::string& path) {
  const auto read = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const auto file, files.Open(path, base::OpenMode::kCreateOrTruncate));
    std::uint64_t offset = 0;
    ZstdDecompressor decompressor(
        [&](std::string_view bytes) {
          const std::uint64_t at = offset;
          offset += bytes.size();
          return file->WriteAt(at, bytes);
        },
        bytes_max);
    absl::Status damage;
    RETURN_IF_ERROR(ReadChecked(store, key, expected, [&](std::string_view bytes) {
      damage = decompressor.Add(bytes);
      return damage;
    }));
    RETURN_IF_ERROR(decompressor.Finish());
    return file->Sync();
  };
  const absl::Status status = read();
  if (status.ok()) return status;
  base::IgnoreError(files.Remove(path), "the error before is the one to tell");
  if (!absl::IsDataLoss(status)) return status;
  if (expected.size && store::ReasonOf(status) == "TooLarge") {
    return store::Failure(absl::StatusCode::kDataLoss, "BackupAltered", base::MessageOf(status));
  }
  return store::WithReason(status, "BackupAltered");
}

absl::Status CheckStored(store::ObjectStore& store, const std::string& key,
                         const model::BackupArtifact& expected) {
  return ReadChecked(store, key, expected, [](std::string_view) { return absl::OkStatus(); });
}

absl::StatusOr<std::optional<backup::Manifest>> FindManifest(store::ObjectStore& store,
                                                             const std::string& key) {
  const std::string name = key + std::string(backup::kManifestSuffix);
  const auto text = store.GetText(name, backup::kManifestBytesMax);
  if (absl::IsNotFound(text.status())) return std::optional<backup::Manifest>();
  RETURN_IF_ERROR(text.status());
  auto manifest = backup::ParseManifest(*text);
  if (!manifest.ok()) {
    return store::Failure(
        absl::StatusCode::kDataLoss, "ManifestDamaged",
        fmt::format("{}: {}", store.UriOf(name), base::MessageOf(manifest.status())));
  }
  return std::optional<backup::Manifest>(*std::move(manifest));
}

}  // namespace etcd::worker
