#include "operator/store/http.h"

#include <algorithm>
#include <cstdlib>
#include <curl/curl.h>
#include <utility>

#include <fmt/format.h>

#include "operator/store/object_store.h"
#include "server/base/check.h"
#include "server/base/status.h"

namespace etcd::store {
namespace {

constexpr long kConnectTimeoutMs = 10'000;
constexpr std::size_t kHeaderBytesMax = 64 * 1024;

// Once per process, before any other call of curl.
void InitCurl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(code == CURLE_OK) << "libcurl cannot start";
}

std::string_view Trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

absl::Status StatusOfCurl(CURLcode code, const std::string& text, bool has_bundle) {
  if (code == CURLE_PEER_FAILED_VERIFICATION) {
    return Failure(absl::StatusCode::kFailedPrecondition, "CertificateRefused",
                   fmt::format("its certificate is not trusted ({}); {}", text,
                               has_bundle ? "put the authority that signed it into caBundle, and "
                                            "use a host name that it is made out to"
                                          : "give caBundle with the authority that signed it"));
  }
  if (code == CURLE_SSL_CACERT_BADFILE) {
    return Failure(absl::StatusCode::kFailedPrecondition, "CertificateRefused",
                   fmt::format("the trusted certificates cannot be read ({}); caBundle must hold "
                               "certificates in PEM",
                               text));
  }
  return base::MakeStatus(absl::StatusCode::kUnavailable, text);
}

}  // namespace

HttpBody BodyOf(std::string_view text) {
  return {.size = text.size(), .read = [text](std::uint64_t offset, char* out, std::size_t size) {
            text.copy(out, size, offset);
            return absl::OkStatus();
          }};
}

// One call while it runs.
struct HttpPeer::Exchange {
  explicit Exchange(const HttpCall& of) : call(of) {}
  ~Exchange() { curl_slist_free_all(headers); }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  static std::size_t OnBody(char* data, std::size_t, std::size_t size, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    exchange.problem = exchange.TakeBody({data, size});
    return exchange.problem.ok() ? size : CURL_WRITEFUNC_ERROR;
  }
  static std::size_t OnHeader(char* data, std::size_t, std::size_t size, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    exchange.problem = exchange.TakeHeader({data, size});
    return exchange.problem.ok() ? size : CURL_WRITEFUNC_ERROR;
  }
  static std::size_t OnRead(char* out, std::size_t one, std::size_t count, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    const HttpBody& body = *exchange.call.body;
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(one * count, body.size - exchange.sent));
    if (size == 0) return 0;
    exchange.problem = body.read(exchange.sent, out, size);
    if (!exchange.problem.ok()) return CURL_READFUNC_ABORT;
    exchange.sent += size;
    return size;
  }

  absl::Status TakeBody(std::string_view bytes) {
    if (call.sink != nullptr && (reply.code == 200 || reply.code == 206)) {
      return (*call.sink)(reply, bytes);
    }
    if (reply.body.size() + bytes.size() > call.answer_bytes_max) {
      return base::DataLoss(
          fmt::format("the store answers with more than {} bytes", call.answer_bytes_max));
    }
    reply.body += bytes;
    return absl::OkStatus();
  }

  absl::Status TakeHeader(std::string_view line) {
    header_bytes += line.size();
    if (header_bytes > kHeaderBytesMax) return base::DataLoss("the store sends endless headers");
    if (line.starts_with("HTTP/")) {
      // Also after "100 Continue": the last one counts.
      reply.headers.clear();
      const std::size_t space = line.find(' ');
      reply.code = space == line.npos ? 0 : std::atoi(std::string(line.substr(space + 1)).c_str());
      return absl::OkStatus();
    }
    const std::size_t colon = line.find(':');
    if (colon == line.npos) return absl::OkStatus();
    std::string name(line.substr(0, colon));
    for (char& c : name) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    reply.headers[std::move(name)] = Trimmed(line.substr(colon + 1));
    return absl::OkStatus();
  }

  const HttpCall& call;
  HttpReply reply{};
  absl::Status problem{};  // why a callback ended it
  curl_slist* headers = nullptr;
  std::size_t header_bytes = 0;
  std::uint64_t sent = 0;
  char error_text[CURL_ERROR_SIZE] = {};
};

HttpPeer::HttpPeer(HttpSettings settings)
    : settings_(std::move(settings)), easy_((InitCurl(), curl_easy_init())) {
  CHECK(easy_ != nullptr) << "no memory for a curl handle";
}

HttpPeer::~HttpPeer() { curl_easy_cleanup(easy_); }

void HttpPeer::Prepare(Exchange& exchange) {
  const HttpCall& call = exchange.call;
  curl_easy_reset(easy_);
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  curl_easy_setopt(easy_, CURLOPT_PATH_AS_IS, 1L);  // it is signed as it is
  curl_easy_setopt(easy_, CURLOPT_USERAGENT, settings_.user_agent.c_str());
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, exchange.error_text);
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
  curl_easy_setopt(easy_, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy_, CURLOPT_LOW_SPEED_TIME, settings_.stall_seconds);
  if (!settings_.ca_pem.empty()) {
    curl_easy_setopt(easy_, CURLOPT_CAINFO, nullptr);
    curl_easy_setopt(easy_, CURLOPT_CAPATH, nullptr);
    // curl does not write to it, and it lives as long as we do.
    curl_blob blob{const_cast<char*>(settings_.ca_pem.data()), settings_.ca_pem.size(),
                   CURL_BLOB_NOCOPY};
    curl_easy_setopt(easy_, CURLOPT_CAINFO_BLOB, &blob);
  }
  curl_easy_setopt(easy_, CURLOPT_URL, call.url.c_str());
  for (const std::string& header : call.headers) {
    exchange.headers = curl_slist_append(exchange.headers, header.c_str());
  }
  exchange.headers = curl_slist_append(exchange.headers, "Expect:");
  if (call.body != nullptr) {
    curl_easy_setopt(easy_, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy_, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(call.body->size));
    curl_easy_setopt(easy_, CURLOPT_READFUNCTION, &Exchange::OnRead);
    curl_easy_setopt(easy_, CURLOPT_READDATA, &exchange);
  } else if (call.method == "HEAD") {
    curl_easy_setopt(easy_, CURLOPT_NOBODY, 1L);
  }
  curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, call.method.c_str());
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, exchange.headers);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &Exchange::OnBody);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, &Exchange::OnHeader);
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, &exchange);
}

absl::StatusOr<HttpReply> HttpPeer::Send(const HttpCall& call) {
  Exchange exchange(call);
  Prepare(exchange);
  const CURLcode code = curl_easy_perform(easy_);
  if (!exchange.problem.ok()) return exchange.problem;
  if (code != CURLE_OK) {
    const std::string text =
        exchange.error_text[0] != '\0' ? exchange.error_text : curl_easy_strerror(code);
    return StatusOfCurl(code, text, !settings_.ca_pem.empty());
  }
  return std::move(exchange.reply);
}

}  // namespace etcd::store
