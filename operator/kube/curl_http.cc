#include "operator/kube/curl_http.h"

#include <algorithm>
#include <curl/curl.h>
#include <iterator>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <fmt/format.h>

#include "operator/kube/api_error.h"
#include "server/base/check.h"
#include "server/base/status.h"

namespace etcd::kube {
namespace {

constexpr std::size_t kIdleMax = 16;
constexpr long kConnectTimeoutMs = 10'000;
constexpr long kKeepIdleSeconds = 30;
constexpr long kKeepIntervalSeconds = 5;
constexpr int kKeepCount = 3;
constexpr int kUnacknowledgedMsMax = 45'000;
// curl sets timers of its own; this only bounds one sleep.
constexpr int kPollMs = 60'000;

// Once per process, before any other call of curl.
void InitCurl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(code == CURLE_OK) << "libcurl cannot start";
}

int OnSocket(void*, curl_socket_t fd, curlsocktype) {
  const int count = kKeepCount;
  const int unacknowledged = kUnacknowledgedMsMax;
  // Best effort: an older kernel without them still has the request's timeout.
  (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
  (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged, sizeof(unacknowledged));
  return CURL_SOCKOPT_OK;
}

// Codes after which the server cannot have seen the request.
bool IsBeforeSending(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_URL_MALFORMAT:
      return true;
    default:
      return false;
  }
}

// Splits "https://host:port/prefix" where --connect-to needs the parts.
struct UrlParts {
  std::string scheme;
  std::string authority;
  std::string host;  // IPv6 in brackets
  std::string port;  // with its colon, or empty
  std::string prefix;
};

UrlParts SplitUrl(const std::string& url) {
  UrlParts parts;
  const std::size_t scheme_end = url.find("://");
  const std::size_t begin = scheme_end == std::string::npos ? 0 : scheme_end + 3;
  parts.scheme = scheme_end == std::string::npos ? "https" : url.substr(0, scheme_end);
  const std::size_t slash = std::min(url.find('/', begin), url.size());
  parts.authority = url.substr(begin, slash - begin);
  parts.prefix = url.substr(slash);
  while (parts.prefix.ends_with('/')) parts.prefix.pop_back();
  const std::size_t colon = parts.authority.rfind(':');
  const std::size_t bracket = parts.authority.rfind(']');
  const bool has_port =
      colon != std::string::npos && (bracket == std::string::npos || bracket < colon);
  parts.host = has_port ? parts.authority.substr(0, colon) : parts.authority;
  if (has_port) parts.port = parts.authority.substr(colon);
  return parts;
}

}  // namespace

// A curl handle with the connection it keeps. One exchange at a time.
class CurlTransport::Exchange {
 public:
  Exchange() : multi_(curl_multi_init()), easy_(curl_easy_init()) {
    CHECK(multi_ != nullptr && easy_ != nullptr) << "no memory for a curl handle";
  }
  ~Exchange() {
    curl_easy_cleanup(easy_);
    curl_multi_cleanup(multi_);
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  absl::StatusOr<HttpAnswer> Run(const ServerAddress& address, const std::string& user_agent,
                                 const HttpRequest& request, const ByteSink* sink,
                                 const std::stop_token& stop);

 private:
  struct HeaderList {
    ~HeaderList() { curl_slist_free_all(list); }
    void Add(const std::string& line) { list = curl_slist_append(list, line.c_str()); }
    curl_slist* list = nullptr;
  };

  static std::size_t OnBytes(char* data, std::size_t one, std::size_t size, void* self);
  absl::Status Take(std::string_view bytes);
  void SetCommon(const std::string& user_agent);
  void SetAddress(const ServerAddress& address, const HttpRequest& request, HeaderList& headers);
  void SetTls(const ServerAddress& address, const Credential& credential);
  void SetBlob(CURLoption option, const std::string& pem);
  void SetBody(const HttpRequest& request, HeaderList& headers);
  absl::Status Perform(const std::stop_token& stop);
  absl::Status StatusOf(CURLcode code) const;

  CURLM* multi_;
  CURL* easy_;
  char error_text_[CURL_ERROR_SIZE] = {};
  // Of the exchange that is running:
  const HttpRequest* request_ = nullptr;
  const ByteSink* sink_ = nullptr;
  HttpAnswer answer_;
  absl::Status problem_;  // why OnBytes ended it
  std::unique_ptr<HeaderList> connect_to_;
};

std::size_t CurlTransport::Exchange::OnBytes(char* data, std::size_t, std::size_t size,
                                             void* self) {
  auto* const exchange = static_cast<Exchange*>(self);
  exchange->problem_ = exchange->Take({data, size});
  return exchange->problem_.ok() ? size : 0;  // another count than `size` ends the exchange
}

absl::Status CurlTransport::Exchange::Take(std::string_view bytes) {
  long code = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &code);
  if (sink_ != nullptr && code == 200) return (*sink_)(bytes);
  if (answer_.body.size() + bytes.size() > request_->answer_bytes_max) {
    return ApiError(ApiErrc::kTooLarge,
                    fmt::format("an answer of more than {} bytes", request_->answer_bytes_max));
  }
  answer_.body += bytes;
  return absl::OkStatus();
}

void CurlTransport::Exchange::SetCommon(const std::string& user_agent) {
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_USERAGENT, user_agent.c_str());
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_text_);
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
  curl_easy_setopt(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy_, CURLOPT_TCP_KEEPIDLE, kKeepIdleSeconds);
  curl_easy_setopt(easy_, CURLOPT_TCP_KEEPINTVL, kKeepIntervalSeconds);
  curl_easy_setopt(easy_, CURLOPT_SOCKOPTFUNCTION, &OnSocket);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &Exchange::OnBytes);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
}

void CurlTransport::Exchange::SetAddress(const ServerAddress& address, const HttpRequest& request,
                                         HeaderList& headers) {
  const UrlParts url = SplitUrl(address.url);
  // curl takes the name for SNI and verification from the URL: so it gets the certificate's name
  // there, and is told where to connect instead.
  const std::string& name = address.tls_server_name;
  const std::string authority = name.empty() ? url.authority : name + url.port;
  curl_easy_setopt(
      easy_, CURLOPT_URL,
      fmt::format("{}://{}{}{}", url.scheme, authority, url.prefix, request.target).c_str());
  if (!name.empty()) {
    headers.Add("Host: " + url.authority);
    connect_to_ = std::make_unique<HeaderList>();
    connect_to_->Add(fmt::format("::{}{}", url.host, url.port.empty() ? ":" : url.port));
    curl_easy_setopt(easy_, CURLOPT_CONNECT_TO, connect_to_->list);
  }
  if (!address.proxy_url.empty()) {
    curl_easy_setopt(easy_, CURLOPT_PROXY, address.proxy_url.c_str());
    curl_easy_setopt(easy_, CURLOPT_NOPROXY, "");
  }
}

void CurlTransport::Exchange::SetBlob(CURLoption option, const std::string& pem) {
  if (pem.empty()) return;
  // curl does not write to it. The credential lives as long as the exchange.
  curl_blob blob{const_cast<char*>(pem.data()), pem.size(), CURL_BLOB_NOCOPY};
  curl_easy_setopt(easy_, option, &blob);
}

void CurlTransport::Exchange::SetTls(const ServerAddress& address, const Credential& credential) {
  curl_easy_setopt(easy_, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  if (address.insecure_skip_tls_verify) {
    curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  // With a blob curl must not read the system's roots besides.
  if (!credential.ca_pem.empty()) {
    curl_easy_setopt(easy_, CURLOPT_CAINFO, nullptr);
    curl_easy_setopt(easy_, CURLOPT_CAPATH, nullptr);
  }
  SetBlob(CURLOPT_CAINFO_BLOB, credential.ca_pem);
  SetBlob(CURLOPT_SSLCERT_BLOB, credential.client_cert_pem);
  SetBlob(CURLOPT_SSLKEY_BLOB, credential.client_key_pem);
}

void CurlTransport::Exchange::SetBody(const HttpRequest& request, HeaderList& headers) {
  headers.Add("Accept: application/json");
  if (request.credential != nullptr && !request.credential->token.empty()) {
    headers.Add("Authorization: Bearer " + request.credential->token);
  }
  if (request.method != "GET" && !request.content_type.empty()) {
    headers.Add("Content-Type: " + request.content_type);
    headers.Add("Expect:");  // no round trip for 100-continue
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, request.body.data());
  }
  curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  // A watch is not compressed: its pieces must come through at once.
  if (sink_ == nullptr) curl_easy_setopt(easy_, CURLOPT_ACCEPT_ENCODING, "gzip");
  curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
}

absl::Status CurlTransport::Exchange::StatusOf(CURLcode code) const {
  if (!problem_.ok()) return problem_;
  if (code == CURLE_OK) return absl::OkStatus();
  const std::string text = error_text_[0] != '\0' ? error_text_ : curl_easy_strerror(code);
  curl_off_t pretransfer_us = 0;
  curl_easy_getinfo(easy_, CURLINFO_PRETRANSFER_TIME_T, &pretransfer_us);
  const bool timed_out_before = code == CURLE_OPERATION_TIMEDOUT && pretransfer_us == 0;
  const bool not_sent = IsBeforeSending(code) || timed_out_before;
  return ApiError(not_sent ? ApiErrc::kNotSent : ApiErrc::kNoAnswer, text);
}

absl::Status CurlTransport::Exchange::Perform(const std::stop_token& stop) {
  CHECK(curl_multi_add_handle(multi_, easy_) == CURLM_OK) << "curl refuses its handle";
  absl::Status status;
  {
    const std::stop_callback wake(stop, [this] { curl_multi_wakeup(multi_); });
    int running = 1;
    while (true) {
      CHECK(curl_multi_perform(multi_, &running) == CURLM_OK) << "curl lost its handle";
      if (running == 0) break;
      if (stop.stop_requested()) {
        status = ApiError(ApiErrc::kStopped, "stopped");
        break;
      }
      CHECK(curl_multi_poll(multi_, nullptr, 0, kPollMs, nullptr) == CURLM_OK)
          << "curl cannot poll";
    }
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg == CURLMSG_DONE) status = StatusOf(message->data.result);
  }
  long code = 0;
  curl_off_t retry_after = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &code);
  curl_easy_getinfo(easy_, CURLINFO_RETRY_AFTER, &retry_after);
  answer_.code = static_cast<int>(code);
  if (retry_after > 0) answer_.retry_after = std::chrono::seconds(retry_after);
  // Closes the connection of an exchange that did not end.
  curl_multi_remove_handle(multi_, easy_);
  return status;
}

absl::StatusOr<HttpAnswer> CurlTransport::Exchange::Run(const ServerAddress& address,
                                                        const std::string& user_agent,
                                                        const HttpRequest& request,
                                                        const ByteSink* sink,
                                                        const std::stop_token& stop) {
  request_ = &request;
  sink_ = sink;
  answer_ = {};
  problem_ = absl::OkStatus();
  error_text_[0] = '\0';
  curl_easy_reset(easy_);  // options only; the connection stays
  HeaderList headers;
  SetCommon(user_agent);
  SetAddress(address, request, headers);
  // Not a temporary: curl keeps pointers into it until the exchange ends.
  static const Credential kNobody;
  SetTls(address, request.credential != nullptr ? *request.credential : kNobody);
  SetBody(request, headers);
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers.list);
  RETURN_IF_ERROR(Perform(stop));
  return std::move(answer_);
}

CurlTransport::CurlTransport(ServerAddress address, std::string user_agent,
                             std::chrono::nanoseconds idle_for)
    : address_(std::move(address)), user_agent_(std::move(user_agent)), idle_for_(idle_for) {
  InitCurl();
}

CurlTransport::~CurlTransport() = default;

std::unique_ptr<CurlTransport::Exchange> CurlTransport::Take() {
  {
    const std::lock_guard lock(mu_);
    if (!idle_.empty()) {
      std::unique_ptr<Exchange> exchange = std::move(idle_.back().exchange);
      idle_.pop_back();
      return exchange;
    }
  }
  return std::make_unique<Exchange>();
}

void CurlTransport::Give(std::unique_ptr<Exchange> exchange) {
  const auto now = std::chrono::steady_clock::now();
  std::vector<Idle> old;  // closed without the lock
  const std::lock_guard lock(mu_);
  // The one that was used last is taken first, so that the others age.
  const auto young =
      std::ranges::find_if(idle_, [&](const Idle& idle) { return now - idle.since < idle_for_; });
  std::move(idle_.begin(), young, std::back_inserter(old));
  idle_.erase(idle_.begin(), young);
  if (idle_.size() < kIdleMax) idle_.push_back({std::move(exchange), now});
}

std::size_t CurlTransport::idle_connections() const {
  const std::lock_guard lock(mu_);
  return idle_.size();
}

absl::StatusOr<HttpAnswer> CurlTransport::Run(const HttpRequest& request, const ByteSink* sink,
                                              std::stop_token stop) {
  CHECK(request.timeout.count() > 0) << "a request without a deadline";
  std::unique_ptr<Exchange> exchange = Take();
  absl::StatusOr<HttpAnswer> answer = exchange->Run(address_, user_agent_, request, sink, stop);
  Give(std::move(exchange));
  return answer;
}

absl::StatusOr<HttpAnswer> CurlTransport::Send(const HttpRequest& request, std::stop_token stop) {
  return Run(request, nullptr, std::move(stop));
}

absl::StatusOr<HttpAnswer> CurlTransport::Stream(const HttpRequest& request, const ByteSink& sink,
                                                 std::stop_token stop) {
  return Run(request, &sink, std::move(stop));
}

}  // namespace etcd::kube
