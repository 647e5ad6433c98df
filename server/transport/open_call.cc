#include "server/transport/open_call.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/status.h"
#include "server/transport/grpc_call.h"
#include "server/transport/grpc_codec.h"
#include "server/transport/stream_call.h"
#include "server/transport/unary_call.h"

namespace etcd::transport {
namespace {

using absl::StatusCode;
using base::MakeStatus;

struct Refusal {
  std::string_view http_status = "200";
  absl::Status status;
  std::string_view accept_encoding = {};
};

// A request that is refused for its head. A gRPC client is told at once, it may be waiting before
// it sends a message; others when their request is complete, as they expect.
class RefusedStream final : public H2Stream {
 public:
  RefusedStream(H2Session& session, std::int32_t id, Refusal refusal)
      : H2Stream(session, id), refusal_(std::move(refusal)) {}

  void Refuse() {
    if (std::exchange(refused_, true)) return;
    const HeaderFields trailers = TrailerFields(refusal_.status, nullptr);
    std::vector<HeaderView> headers;
    headers.push_back({":status", refusal_.http_status});
    headers.push_back({"content-type", "application/grpc", true});
    if (!refusal_.accept_encoding.empty()) {
      headers.push_back({"grpc-accept-encoding", refusal_.accept_encoding});
    }
    for (const auto& [name, value] : trailers) headers.push_back({name, value});
    session()->SubmitHeaders(*this, headers, false);
  }

  void OnData(std::string_view bytes) override {
    ignored_bytes_ += bytes.size();
    if (ignored_bytes_ > kIgnoredBytesMax) Refuse();
  }
  void OnEndStream() override { Refuse(); }

 private:
  static constexpr std::size_t kIgnoredBytesMax = 64 * 1024;
  void OnClosed() override {}

  const Refusal refusal_;
  std::size_t ignored_bytes_ = 0;
  bool refused_ = false;
};

std::string Quote(std::string_view text) { return '"' + std::string(text) + '"'; }

// Go's gRPC server answers each with these texts (reference v3-api.md 1.1).
absl::Status UnknownPath(const ServerContext& context, std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (path.empty() || path[0] != '/' || slash == 0) {
    return MakeStatus(StatusCode::kUnimplemented, "malformed method name: " + Quote(path));
  }
  const std::string service(path.substr(1, slash - 1));
  if (!context.services.contains(service)) {
    return MakeStatus(StatusCode::kUnimplemented, "unknown service " + service);
  }
  return MakeStatus(
      StatusCode::kUnimplemented,
      "unknown method " + std::string(path.substr(slash + 1)) + " for service " + service);
}

// Checks of the head that do not depend on the method; an OK status lets the call go on.
Refusal CheckHead(const RequestHead& head) {
  if (head.oversize) {
    return {"431", MakeStatus(StatusCode::kResourceExhausted, "header list is too large")};
  }
  if (!IsGrpcContentType(head.content_type)) {
    return {"415", MakeStatus(StatusCode::kInvalidArgument,
                              "invalid gRPC request content-type " + Quote(head.content_type))};
  }
  if (head.method != "POST") {
    return {"405", MakeStatus(StatusCode::kInternal,
                              "Received a " + Quote(head.method) + " which should be POST")};
  }
  if (head.has_grpc_timeout && !ParseTimeout(head.grpc_timeout)) {
    return {"400", MakeStatus(StatusCode::kInternal,
                              "malformed grpc-timeout: " + Quote(head.grpc_timeout))};
  }
  const std::string_view encoding = head.grpc_encoding;
  if (!encoding.empty() && encoding != "identity" && encoding != "gzip") {
    return {"200",
            MakeStatus(StatusCode::kUnimplemented,
                       "grpc: Decompressor is not installed for grpc-encoding " + Quote(encoding)),
            "gzip"};
  }
  return {};
}

// Moves the request's metadata to the context, "-bin" values decoded.
absl::Status TakeMetadata(RequestHead& head, base::Metadata& metadata) {
  for (auto& [key, value] : head.fields) {
    if (key.starts_with("grpc-") && key != "grpc-trace-bin") continue;
    if (!IsBinaryKey(key)) {
      if (!IsPrintableAscii(value)) {
        return MakeStatus(StatusCode::kInternal, "malformed metadata in header " + Quote(key));
      }
      metadata.Add(std::move(key), std::move(value));
      continue;
    }
    std::optional<std::string> bytes = DecodeBase64(value);
    if (!bytes) {
      return MakeStatus(StatusCode::kInternal,
                        "malformed binary metadata " + Quote(value) + " in header " + Quote(key));
    }
    metadata.Add(std::move(key), *std::move(bytes));
  }
  return absl::OkStatus();
}

std::shared_ptr<GrpcCall> MakeCall(H2Session& session, std::int32_t id, const Method& method) {
  if (method.entry->unary != nullptr) return std::make_shared<UnaryCall>(session, id, method);
  return std::make_shared<StreamCall>(session, id, method);
}

void FillContext(H2Session& session, const RequestHead& head, GrpcCall& call) {
  base::CallContext& context = call.context();
  context.peer = session.connection().peer();
  if (head.has_grpc_timeout) {
    context.deadline = session.loop().now() + *ParseTimeout(head.grpc_timeout);
  }
  if (head.grpc_encoding == "gzip") call.reader().AcceptGzip();
  constexpr std::string_view kBase = "application/grpc";
  if (head.content_type.size() > kBase.size() && head.content_type[kBase.size()] == '+') {
    call.SetContentSubtype(head.content_type.substr(kBase.size()));
  }
}

}  // namespace

void OpenCall(H2Session& session, std::int32_t stream_id, RequestHead& head, AdoptStream adopt) {
  Refusal refusal = CheckHead(head);
  const auto& methods = session.context().methods;
  const auto found = methods.find(head.path);
  if (refusal.status.ok() && found == methods.end()) {
    refusal.status = UnknownPath(session.context(), head.path);
  }
  std::shared_ptr<GrpcCall> call;
  if (refusal.status.ok()) {
    call = MakeCall(session, stream_id, found->second);
    refusal.status = TakeMetadata(head, call->context().metadata);
    if (!refusal.status.ok()) refusal.http_status = "400";
  }
  if (!refusal.status.ok()) {
    const auto refused = std::make_shared<RefusedStream>(session, stream_id, std::move(refusal));
    adopt(refused);
    if (IsGrpcContentType(head.content_type)) refused->Refuse();
    return;
  }
  FillContext(session, head, *call);
  adopt(call);
  call->Begin();
}

}  // namespace etcd::transport
