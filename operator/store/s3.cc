#include "operator/store/s3.h"

#include <algorithm>

#include <absl/time/time.h>
#include <fmt/format.h>

#include "operator/store/digest.h"
#include "operator/store/s3_answers.h"
#include "server/base/status.h"

namespace etcd::store {
namespace {

constexpr std::string_view kOwnerHeader = "x-amz-meta-backup-uid";

std::string AmzDate(const base::Clock& clock) {
  return absl::FormatTime("%E4Y%m%dT%H%M%SZ", absl::FromChrono(clock.WallNow()),
                          absl::UTCTimeZone());
}

std::string HeaderOf(const HttpReply& reply, std::string_view name) {
  const auto found = reply.headers.find(std::string(name));
  return found == reply.headers.end() ? "" : found->second;
}

}  // namespace

absl::StatusOr<std::unique_ptr<S3Store>> S3Store::Create(S3Options options,
                                                         const base::Clock& clock,
                                                         base::FileSystem& files, Sleep sleep) {
  const std::size_t scheme_end = options.endpoint.find("://");
  const std::string scheme = options.endpoint.substr(0, scheme_end);
  std::string authority =
      scheme_end == std::string::npos ? "" : options.endpoint.substr(scheme_end + 3);
  while (authority.ends_with('/')) authority.pop_back();
  if ((scheme != "http" && scheme != "https") || authority.empty() ||
      authority.find_first_of("/?#@ ") != std::string::npos) {
    return Failure(
        absl::StatusCode::kInvalidArgument, "DestinationRefused",
        fmt::format("the endpoint {} is no URL of a store; write http:// or https:// and "
                    "the host, nothing behind it",
                    options.endpoint));
  }
  // What curl leaves out of Host must not be signed either.
  const std::string_view usual_port = scheme == "http" ? ":80" : ":443";
  if (authority.ends_with(usual_port)) authority.resize(authority.size() - usual_port.size());
  if (!options.force_path_style) authority = options.bucket + "." + authority;
  return std::unique_ptr<S3Store>(
      new S3Store(std::move(options), {scheme, authority}, clock, files, std::move(sleep)));
}

S3Store::S3Store(S3Options options, Endpoint endpoint, const base::Clock& clock,
                 base::FileSystem& files, Sleep sleep)
    : options_(std::move(options)),
      endpoint_(std::move(endpoint)),
      region_(options_.region),
      clock_(clock),
      files_(files),
      sleep_(std::move(sleep)),
      http_({.user_agent = options_.user_agent,
             .ca_pem = options_.ca_pem,
             .stall_seconds = options_.stall_seconds}) {}

std::string S3Store::UriOf(const std::string& key) const {
  return fmt::format("s3://{}/{}", options_.bucket, key);
}

std::string S3Store::Where() const {
  return fmt::format("{}://{}", endpoint_.scheme, endpoint_.authority);
}

absl::StatusOr<HttpReply> S3Store::Once(const Request& request) {
  const std::string bucket_path = options_.force_path_style ? "/" + options_.bucket : "";
  SignableRequest signable{.method = request.method,
                           .path = bucket_path + "/" + request.key,
                           .query = request.query,
                           .headers = request.headers,
                           .payload_sha256 = request.body_sha256};
  signable.headers["host"] = endpoint_.authority;
  signable = Sign(std::move(signable), options_.keys, region_, AmzDate(clock_));
  HttpCall call{.method = request.method,
                .url = Where() + EncodeUri(signable.path, true),
                .body = request.body,
                .answer_bytes_max = request.answer_bytes_max,
                .sink = request.sink};
  if (!request.query.empty()) call.url += "?" + EncodeQuery(request.query);
  for (const auto& [name, value] : signable.headers) {
    call.headers.push_back(fmt::format("{}: {}", name, value));
  }
  return http_.Send(call);
}

// Another region, or another host over the same scheme; asked once.
bool S3Store::FollowRedirect(const HttpReply& reply) {
  const bool is_wrong_region =
      reply.code == 400 && ReadS3Error(reply).code == "AuthorizationHeaderMalformed";
  if (reply.code != 301 && reply.code != 307 && !is_wrong_region) return false;
  std::string region = HeaderOf(reply, "x-amz-bucket-region");
  if (region.empty()) region = ReadS3Error(reply).region;
  const std::string location = HeaderOf(reply, "location");
  const std::string scheme = endpoint_.scheme + "://";
  bool is_new = false;
  if (location.starts_with(scheme)) {
    const std::string authority =
        location.substr(scheme.size(), location.find('/', scheme.size()) - scheme.size());
    is_new = !authority.empty() && authority != endpoint_.authority;
    if (is_new) endpoint_.authority = authority;
  }
  is_new = is_new || (!region.empty() && region != region_);
  if (!region.empty()) region_ = region;
  return is_new;
}

absl::StatusOr<HttpReply> S3Store::Call(Request request) {
  bool may_redirect = true;
  absl::Status last;
  auto wait = options_.first_wait;
  for (int attempt = 0; attempt < options_.tries; ++attempt) {
    if (attempt > 0) {
      if (!sleep_(wait)) return Failure(absl::StatusCode::kCancelled, "Stopped", "stopped");
      wait = std::min(2 * wait, options_.wait_max);
    }
    auto reply = Once(request);
    if (reply.ok() && may_redirect && FollowRedirect(*reply)) {
      may_redirect = false;
      reply = Once(request);
    }
    if (reply.ok()) {
      if (reply->code >= 200 && reply->code < 300) return reply;
      last = ErrorOf(request, *reply);
    } else {
      last = WithReason(base::MakeStatus(reply.status().code(),
                                         fmt::format("{} cannot be reached for the {} of {}: {}",
                                                     Where(), request.method, UriOf(request.key),
                                                     base::MessageOf(reply.status()))),
                        ReasonOf(reply.status()) == "Failed" ? "DestinationUnreachable"
                                                             : ReasonOf(reply.status()));
    }
    // With a sink what came already has been given away: its caller goes on from there.
    if (last.code() != absl::StatusCode::kUnavailable || request.sink != nullptr) return last;
  }
  return last;
}

absl::Status S3Store::ErrorOf(const Request& request, const HttpReply& reply) const {
  const S3Error error = ReadS3Error(reply);
  return StatusOfS3({.what = fmt::format("{} of {}", request.method, UriOf(request.key)),
                     .where = Where(),
                     .bucket = options_.bucket,
                     .keys_from = options_.keys_from,
                     .our_time = AmzDate(clock_)},
                    reply, error);
}

absl::Status S3Store::PutText(const std::string& key, std::string_view text) {
  const HttpBody body = BodyOf(text);
  return Call({.method = "PUT", .key = key, .body = &body, .body_sha256 = Sha256Hex(text)})
      .status();
}

absl::StatusOr<std::optional<ObjectInfo>> S3Store::Head(const std::string& key) {
  const auto reply = Call({.method = "HEAD", .key = key});
  if (absl::IsNotFound(reply.status())) return std::optional<ObjectInfo>();
  RETURN_IF_ERROR(reply.status());
  ObjectInfo info{
      .key = key, .etag = HeaderOf(*reply, "etag"), .owner = HeaderOf(*reply, kOwnerHeader)};
  if (!ParseSize(HeaderOf(*reply, "content-length"), info.size)) {
    return Failure(absl::StatusCode::kDataLoss, "BadAnswer",
                   fmt::format("{} does not say how large {} is", Where(), UriOf(key)));
  }
  return std::optional<ObjectInfo>(std::move(info));
}

absl::Status S3Store::Delete(const std::string& key) {
  const absl::Status status = Call({.method = "DELETE", .key = key}).status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

// ---- Reading.

// Of one object, over as many exchanges as it takes.
struct S3Store::Reading {
  const ObjectInfo info;  // when it began; all bytes must be of this state
  const ByteSink& sink;
  std::uint64_t got = 0;
  std::uint64_t begin = 0;  // of the exchange that runs
  absl::Status problem{};   // why there is no point in another try

  absl::Status Take(const HttpReply& head, std::string_view bytes) {
    problem = Check(head, bytes.size());
    if (problem.ok()) problem = sink(bytes);
    got += bytes.size();
    return problem;
  }

  absl::Status Check(const HttpReply& head, std::size_t size) const {
    const auto wrong = [&](std::string_view what) {
      return Failure(absl::StatusCode::kDataLoss, "BadAnswer",
                     fmt::format("the store answers {} for {}", what, info.key));
    };
    const std::string expected = fmt::format("bytes {}-{}/{}", begin, info.size - 1, info.size);
    if (begin > 0 && (head.code != 206 || HeaderOf(head, "content-range") != expected)) {
      return wrong("with something else than the rest");
    }
    if (HeaderOf(head, "etag") != info.etag) return wrong("with another state");
    if (got + size > info.size) return wrong("with more bytes than it said");
    return absl::OkStatus();
  }
};

absl::Status S3Store::GetOnce(Reading& reading) {
  const AnswerSink sink = [&](const HttpReply& head, std::string_view bytes) {
    return reading.Take(head, bytes);
  };
  Request request{.method = "GET", .key = reading.info.key, .sink = &sink};
  reading.begin = reading.got;
  if (reading.begin > 0) {
    request.headers["range"] = fmt::format("bytes={}-", reading.begin);
    request.headers["if-match"] = reading.info.etag;
  }
  RETURN_IF_ERROR(Call(request).status());
  if (reading.got == reading.info.size) return absl::OkStatus();
  return Failure(absl::StatusCode::kUnavailable, "DestinationUnreachable",
                 fmt::format("{} ended after {} of {} bytes", UriOf(reading.info.key), reading.got,
                             reading.info.size));
}

absl::Status S3Store::Get(const std::string& key, const ByteSink& sink) {
  // Its ETag and size first: what is read after a broken connection must be of the same object.
  ASSIGN_OR_RETURN(std::optional<ObjectInfo> info, Head(key));
  if (!info) {
    return Failure(absl::StatusCode::kNotFound, "BadObject",
                   fmt::format("there is no object {}", UriOf(key)));
  }
  if (info->size == 0) return absl::OkStatus();
  Reading reading{.info = std::move(*info), .sink = sink};
  auto wait = options_.first_wait;
  for (int tries = 1;; ++tries) {
    const std::uint64_t before = reading.got;
    const absl::Status status = GetOnce(reading);
    if (!reading.problem.ok()) return reading.problem;
    if (status.code() != absl::StatusCode::kUnavailable) return status;
    if (reading.got > before) {  // it goes on, if slowly
      tries = 1;
      wait = options_.first_wait;
    }
    if (tries >= options_.tries) return status;
    if (!sleep_(wait)) return Failure(absl::StatusCode::kCancelled, "Stopped", "stopped");
    wait = std::min(2 * wait, options_.wait_max);
  }
}

}  // namespace etcd::store
