#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

// Where backups are kept: a bucket or a folder. A key is a path with '/' between its parts.
namespace etcd::store {

struct ObjectInfo {
  std::string key{};
  std::uint64_t size = 0;
  std::string etag{};   // empty: the store has none
  std::string owner{};  // what was given to PutFile; empty in listings, and where it is not kept
};

// A file on the local disk that is stored.
struct LocalFile {
  std::string path{};
  std::uint64_t size = 0;
  std::string sha256{};  // hex
};

// Next bytes of an object. An error ends the reading with it.
using ByteSink = std::function<absl::Status(std::string_view bytes)>;

// Blocking; not thread-safe. Errors carry a word for a condition (ReasonOf) and say what to do.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // The object is there as a whole or not at all. `owner` is kept with it where the store can.
  // Replaces an object of this key. The result is as Head would give it.
  virtual absl::StatusOr<ObjectInfo> PutFile(const std::string& key, const LocalFile& file,
                                             const std::string& owner) = 0;
  virtual absl::Status PutText(const std::string& key, std::string_view text) = 0;
  // Nothing when there is no such object; an error when that cannot be known.
  virtual absl::StatusOr<std::optional<ObjectInfo>> Head(const std::string& key) = 0;
  // The bytes of one state of the object, each once and in order. kNotFound when there is none.
  virtual absl::Status Get(const std::string& key, const ByteSink& sink) = 0;
  // Of a small object; one of more than `bytes_max` is an error.
  absl::StatusOr<std::string> GetText(const std::string& key, std::size_t bytes_max);
  // All keys that begin with `prefix`, in ascending order; at most kListMax, more is an error. Of a
  // volume those within the folder that the prefix names, not of folders below it.
  virtual absl::StatusOr<std::vector<ObjectInfo>> List(const std::string& prefix) = 0;
  // OK when there is none.
  virtual absl::Status Delete(const std::string& key) = 0;

  // For people: "s3://bucket/key", "pvc://claim/path".
  virtual std::string UriOf(const std::string& key) const = 0;
};

inline constexpr std::size_t kListMax = 100'000;

// A word for conditions and events, such as "BucketMissing", that travels with a status.
absl::Status WithReason(absl::Status status, std::string_view reason);
absl::Status Failure(absl::StatusCode code, std::string_view reason, std::string_view message);
// "Failed" when none was given.
std::string ReasonOf(const absl::Status& status);

}  // namespace etcd::store
