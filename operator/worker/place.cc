#include "operator/worker/place.h"

#include <utility>

#include <fmt/format.h>

#include "operator/store/s3.h"
#include "operator/store/volume.h"
#include "server/base/status.h"

namespace etcd::worker {
namespace {

constexpr std::size_t kSecretBytesMax = 64 * 1024;
constexpr std::size_t kCaBytesMax = 4 << 20;

// Keys of the store begin with the destination's prefix: what is listed and named is below it.
class PrefixedStore final : public store::ObjectStore {
 public:
  PrefixedStore(std::unique_ptr<store::ObjectStore> below, const std::string& prefix)
      : below_(std::move(below)), prefix_(prefix.empty() ? "" : prefix + "/") {}

  absl::StatusOr<store::ObjectInfo> PutFile(const std::string& key, const store::LocalFile& file,
                                            const std::string& owner) override {
    return below_->PutFile(prefix_ + key, file, owner);
  }
  absl::Status PutText(const std::string& key, std::string_view text) override {
    return below_->PutText(prefix_ + key, text);
  }
  absl::StatusOr<std::optional<store::ObjectInfo>> Head(const std::string& key) override {
    return below_->Head(prefix_ + key);
  }
  absl::Status Get(const std::string& key, const store::ByteSink& sink) override {
    return below_->Get(prefix_ + key, sink);
  }
  absl::StatusOr<std::vector<store::ObjectInfo>> List(const std::string& prefix) override {
    ASSIGN_OR_RETURN(std::vector<store::ObjectInfo> objects, below_->List(prefix_ + prefix));
    for (store::ObjectInfo& object : objects) object.key.erase(0, prefix_.size());
    return objects;
  }
  absl::Status Delete(const std::string& key) override { return below_->Delete(prefix_ + key); }
  std::string UriOf(const std::string& key) const override { return below_->UriOf(prefix_ + key); }

 private:
  const std::unique_ptr<store::ObjectStore> below_;
  const std::string prefix_;
};

absl::StatusOr<std::string> ReadSmall(const Place& place, const std::string& path,
                                      std::size_t bytes_max) {
  ASSIGN_OR_RETURN(const auto file, place.files.Open(path, base::OpenMode::kRead));
  ASSIGN_OR_RETURN(std::string text, file->ReadAt(0, bytes_max));
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

absl::StatusOr<store::S3Keys> ReadKeys(const Place& place, const std::string& secret) {
  const auto field = [&](const char* name, bool is_required) -> absl::StatusOr<std::string> {
    auto text = ReadSmall(place, place.keys + "/" + name, kSecretBytesMax);
    if (text.ok() && !(text->empty() && is_required)) return text;
    if (!is_required && absl::IsNotFound(text.status())) return std::string();
    return store::Failure(absl::StatusCode::kPermissionDenied, "CredentialsMissing",
                          fmt::format("{} has no {}; add it", secret, name));
  };
  store::S3Keys keys;
  ASSIGN_OR_RETURN(keys.access_key, field("AWS_ACCESS_KEY_ID", true));
  ASSIGN_OR_RETURN(keys.secret_key, field("AWS_SECRET_ACCESS_KEY", true));
  ASSIGN_OR_RETURN(keys.session_token, field("AWS_SESSION_TOKEN", false));
  return keys;
}

absl::StatusOr<std::unique_ptr<store::ObjectStore>> OpenBucket(const model::S3Location& location,
                                                               const Place& place) {
  store::S3Options options{.endpoint = location.endpoint,
                           .bucket = location.bucket,
                           .region = location.region,
                           .force_path_style = location.force_path_style,
                           .user_agent = "etcd-operator"};
  options.keys_from = fmt::format(
      "Secret {}", location.credentials_secret_ref ? location.credentials_secret_ref->name : "?");
  ASSIGN_OR_RETURN(options.keys, ReadKeys(place, options.keys_from));
  if (location.ca_bundle) {
    const auto& from = location.ca_bundle->config_map ? location.ca_bundle->config_map
                                                      : location.ca_bundle->secret;
    const auto pem = ReadSmall(place, place.ca + "/" + (from ? from->key : ""), kCaBytesMax);
    if (!pem.ok() || pem->empty()) {
      return store::Failure(absl::StatusCode::kFailedPrecondition, "CaBundleMissing",
                            fmt::format("the CA bundle {} has no key {}; add it",
                                        from ? from->name : "", from ? from->key : ""));
    }
    options.ca_pem = *pem;
  }
  ASSIGN_OR_RETURN(auto bucket, store::S3Store::Create(std::move(options), place.clock, place.files,
                                                       place.sleep));
  return std::unique_ptr<store::ObjectStore>(std::move(bucket));
}

}  // namespace

absl::StatusOr<std::unique_ptr<store::ObjectStore>> OpenDestination(
    const model::BackupDestination& destination, const Place& place) {
  std::unique_ptr<store::ObjectStore> below;
  std::string prefix;
  if (destination.s3) {
    ASSIGN_OR_RETURN(below, OpenBucket(*destination.s3, place));
    prefix = destination.s3->prefix.value_or("");
  } else if (destination.pvc) {
    below = std::make_unique<store::VolumeStore>(place.volume, destination.pvc->claim_name,
                                                 place.files);
    prefix = destination.pvc->path.value_or("");
  } else {
    return store::Failure(absl::StatusCode::kInvalidArgument, "InvalidSpec",
                          "the destination is neither s3 nor pvc");
  }
  while (prefix.ends_with('/')) prefix.pop_back();
  return std::unique_ptr<store::ObjectStore>(
      std::make_unique<PrefixedStore>(std::move(below), prefix));
}

absl::StatusOr<Source> OpenSource(const model::RestoreSource& from, const Place& place) {
  if (from.s3) {
    ASSIGN_OR_RETURN(auto bucket, OpenDestination({.s3 = *from.s3}, place));
    return Source{std::move(bucket), from.s3->key};
  }
  if (from.pvc && from.pvc->path) {
    ASSIGN_OR_RETURN(
        auto volume,
        OpenDestination({.pvc = model::VolumePath{.claim_name = from.pvc->claim_name}}, place));
    return Source{std::move(volume), *from.pvc->path};
  }
  return store::Failure(absl::StatusCode::kInvalidArgument, "InvalidSpec",
                        "the source names neither an object nor a file");
}

absl::StatusOr<std::string> KeyOfUri(std::string_view uri, const store::ObjectStore& store) {
  const std::string root = store.UriOf("");
  if (!uri.starts_with(root) || uri.size() == root.size()) {
    return store::Failure(absl::StatusCode::kDataLoss, "BadObject",
                          fmt::format("{} is not within {}", uri, root));
  }
  return std::string(uri.substr(root.size()));
}

}  // namespace etcd::worker
