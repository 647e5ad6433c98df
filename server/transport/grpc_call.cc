#include "server/transport/grpc_call.h"

#include <utility>
#include <vector>

#include "server/base/errc.h"
#include "server/base/status.h"
#include "server/transport/grpc_codec.h"

namespace etcd::transport {
namespace {

constexpr std::uint32_t kHttp2Cancel = 8;  // RFC 9113, 7

void AppendMetadata(const base::Metadata& metadata, HeaderFields& fields) {
  for (const auto& [key, value] : metadata.entries()) {
    fields.emplace_back(key, IsBinaryKey(key) ? EncodeBase64(value) : value);
  }
}

}  // namespace

HeaderFields TrailerFields(const absl::Status& status, const base::Metadata* metadata) {
  HeaderFields fields;
  fields.reserve(2);
  fields.emplace_back("grpc-status", std::to_string(static_cast<int>(status.code())));
  if (!status.message().empty()) {
    fields.emplace_back("grpc-message", PercentEncode(base::MessageOf(status)));
  }
  if (metadata != nullptr) AppendMetadata(*metadata, fields);
  return fields;
}

absl::Status OverloadedStatus() {
  return base::MakeStatus(absl::StatusCode::kResourceExhausted, "etcdserver: too many requests");
}

GrpcCall::GrpcCall(H2Session& session, std::int32_t id, const Method& method)
    : H2Stream(session, id),
      method_(method),
      mailbox_(session.loop().mailbox()),
      reader_(session.context().options.receive_message_bytes_max) {
  context_.path = method.entry->path;
  context_.executor = mailbox_;
}

void GrpcCall::Begin() {
  begun_ = session()->loop().now();
  if (method_.observer != nullptr) method_.observer->Started();
  if (context_.deadline) {
    deadline_.emplace(session()->loop().timers(), [this] { OnDeadline(); });
    deadline_->Arm(*context_.deadline);
  }
  OnBegun();
}

void GrpcCall::OnData(std::string_view bytes) {
  if (finished_) return;
  const absl::Status status = reader_.Feed(bytes, [this](std::string_view message) {
    if (method_.observer != nullptr) method_.observer->MessageReceived(message.size());
    return OnMessage(message) && !finished_;
  });
  if (!status.ok()) {
    Finish(status, nullptr);
    return;
  }
  if (!finished_) Hold(reader_.held_bytes());
}

bool GrpcCall::Hold(std::size_t bytes) {
  if (session() == nullptr) return false;
  const bool allowed = session()->HoldRequestBytes(held_bytes_, bytes);
  held_bytes_ = bytes;
  if (!allowed) Finish(OverloadedStatus(), nullptr);
  return allowed;
}

void GrpcCall::SendHeaders(const base::ResponseMetadata* metadata) {
  if (headers_sent_ || session() == nullptr) return;
  headers_sent_ = true;
  HeaderFields extra;
  if (metadata != nullptr) AppendMetadata(metadata->initial, extra);
  std::vector<HeaderView> headers;
  headers.reserve(2 + extra.size());
  headers.push_back({":status", "200", true});
  const std::string subtype_type =
      content_subtype_.empty() ? std::string() : "application/grpc" + content_subtype_;
  if (subtype_type.empty()) {
    headers.push_back({"content-type", "application/grpc", true});
  } else {
    headers.push_back({"content-type", subtype_type});
  }
  for (const auto& [name, value] : extra) headers.push_back({name, value});
  session()->SubmitHeaders(*this, headers, true);
}

void GrpcCall::Finish(const absl::Status& status, const base::ResponseMetadata* metadata) {
  if (finished_ || session() == nullptr) return;
  finished_ = true;
  if (deadline_) deadline_->Disarm();
  Hold(0);
  CountHandled(status.code());
  if (metadata != nullptr && !metadata->initial.entries().empty()) SendHeaders(metadata);
  HeaderFields trailers =
      TrailerFields(status, metadata != nullptr ? &metadata->trailing : nullptr);
  if (headers_sent_) {
    EndQueue(std::move(trailers));
    Resume();
    return;
  }
  headers_sent_ = true;
  std::vector<HeaderView> headers;
  headers.reserve(2 + trailers.size());
  headers.push_back({":status", "200", true});
  headers.push_back({"content-type", "application/grpc", true});
  for (const auto& [name, value] : trailers) headers.push_back({name, value});
  session()->SubmitHeaders(*this, headers, false);
}

void GrpcCall::OnDeadline() {
  const auto self = shared_from_this();
  context_.canceled.store(true, std::memory_order_release);
  const bool stuck = queue().ready_bytes() > 0;
  Finish(Error(Errc::kContextDeadlineExceeded), nullptr);
  // Behind bytes that the client does not take, the status would never arrive either.
  if (stuck && session() != nullptr) session()->Reset(*this, kHttp2Cancel);
}

void GrpcCall::OnClosed() {
  if (deadline_) deadline_->Disarm();
  if (session() != nullptr) session()->HoldRequestBytes(held_bytes_, 0);
  held_bytes_ = 0;
  context_.canceled.store(true, std::memory_order_release);
  CountHandled(absl::StatusCode::kCancelled);
  finished_ = true;
  OnGone();
}

void GrpcCall::CountSent(std::size_t bytes) {
  if (method_.observer != nullptr) method_.observer->MessageSent(bytes);
}

void GrpcCall::CountHandled(absl::StatusCode code) {
  if (counted_ || method_.observer == nullptr) return;
  counted_ = true;
  method_.observer->Handled(code, session()->loop().now() - begun_);
}

}  // namespace etcd::transport
