#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "operator/store/http.h"
#include "operator/store/object_store.h"
#include "operator/store/sigv4.h"
#include "server/base/clock.h"
#include "server/base/file_system.h"

namespace etcd::store {

struct S3Options {
  std::string endpoint{};  // "https://s3.example.org", with a port if need be
  std::string bucket{};
  std::string region{"us-east-1"};
  bool force_path_style = true;  // the bucket in the path instead of in the host's name
  std::string ca_pem{};          // empty: the system's
  std::string user_agent{};
  S3Keys keys{};
  // For people, where the keys come from: "Secret s3".
  std::string keys_from{"the credentials' Secret"};

  // Objects above this go in parts.
  std::uint64_t single_put_max = std::uint64_t{64} << 20;
  std::uint64_t part_bytes = std::uint64_t{16} << 20;  // doubled until 10,000 parts are enough
  int tries = 6;
  std::chrono::nanoseconds first_wait = std::chrono::milliseconds(500);  // doubled each time
  std::chrono::nanoseconds wait_max = std::chrono::seconds(20);
  long stall_seconds = 60;
};

// Waits between tries; false when everything stops.
using Sleep = std::function<bool(std::chrono::nanoseconds)>;

// A bucket of an S3-compatible store (operator-spec 10.2, 10.3). Reasons of its errors:
// CredentialsRefused, BucketMissing, ClockSkew, CertificateRefused, DestinationUnreachable,
// DestinationRefused, BadAnswer, BadObject.
//
// Repeated are answers 429, 500, 502, 503, 504 and SlowDown, and exchanges that broke. A multipart
// upload that fails is aborted, so that no parts are left behind. Memory: one buffer of curl.
class S3Store final : public ObjectStore {
 public:
  // Invalid argument when the endpoint is no URL. Connects to nothing.
  static absl::StatusOr<std::unique_ptr<S3Store>> Create(S3Options options,
                                                         const base::Clock& clock,
                                                         base::FileSystem& files, Sleep sleep);

  absl::StatusOr<ObjectInfo> PutFile(const std::string& key, const LocalFile& file,
                                     const std::string& owner) override;
  absl::Status PutText(const std::string& key, std::string_view text) override;
  absl::StatusOr<std::optional<ObjectInfo>> Head(const std::string& key) override;
  absl::Status Get(const std::string& key, const ByteSink& sink) override;
  absl::StatusOr<std::vector<ObjectInfo>> List(const std::string& prefix) override;
  absl::Status Delete(const std::string& key) override;
  std::string UriOf(const std::string& key) const override;

 private:
  struct Endpoint {
    std::string scheme;
    std::string authority;  // as it is sent in Host
  };
  using Query = std::vector<std::pair<std::string, std::string>>;
  struct Request {
    std::string method;
    std::string key{};  // empty: of the bucket
    Query query{};
    std::map<std::string, std::string> headers{};  // lower case
    const HttpBody* body = nullptr;
    std::string body_sha256{kEmptySha256};
    std::size_t answer_bytes_max = 64 * 1024;
    const AnswerSink* sink = nullptr;
  };
  struct Part {
    int number;
    std::string etag;
  };
  struct Page;

  S3Store(S3Options options, Endpoint endpoint, const base::Clock& clock, base::FileSystem& files,
          Sleep sleep);

  // With repetitions and at most one redirect. An answer of 2xx, or the error that it means.
  absl::StatusOr<HttpReply> Call(Request request);
  absl::StatusOr<HttpReply> Once(const Request& request);
  bool FollowRedirect(const HttpReply& reply);
  absl::Status ErrorOf(const Request& request, const HttpReply& reply) const;
  std::string Where() const;

  absl::StatusOr<std::string> PutSingle(const std::string& key, const base::File& file,
                                        const LocalFile& local, const std::string& owner);
  absl::StatusOr<std::string> PutParts(const std::string& key, const base::File& file,
                                       const LocalFile& local, const std::string& owner);
  absl::StatusOr<std::vector<Part>> SendParts(const std::string& key, const std::string& upload,
                                              const base::File& file, std::uint64_t size);
  absl::StatusOr<std::string> CompleteParts(const std::string& key, const std::string& upload,
                                            const std::vector<Part>& parts);
  struct Reading;
  absl::Status GetOnce(Reading& reading);
  absl::StatusOr<Page> ListPage(const std::string& prefix, const std::string& token);

  const S3Options options_;
  Endpoint endpoint_;
  std::string region_;  // the bucket's, once a redirect told
  const base::Clock& clock_;
  base::FileSystem& files_;
  const Sleep sleep_;
  HttpPeer http_;
};

}  // namespace etcd::store
