#include "server/api/v3/core.h"

#include <thread>
#include <utility>

#include "server/base/bytes.h"
#include "server/base/status.h"

namespace etcd::api::v3 {
namespace {

constexpr std::uint32_t kHeaderField = 1;         // of every response
constexpr std::uint32_t kEntryHeaderField = 100;  // InternalRaftRequest.header
constexpr std::size_t kHeaderBytesMax = 48;

}  // namespace

Core::Core(const Deps& deps, Options options) : deps_(deps), options_(std::move(options)) {
  base::AppendVarintField(header_ids_, 1, deps_.node.cluster_id().value());
  base::AppendVarintField(header_ids_, 2, deps_.node.member_id().value());
}

// ResponseHeader: 1 cluster_id, 2 member_id, 3 revision, 4 raft_term. Always shorter than 128
// bytes, so its length is one byte, filled in afterwards.
void Core::AppendHeader(std::string& out, Revision revision) const {
  base::AppendTag(out, kHeaderField, base::kWireBytes);
  const std::size_t length_at = out.size();
  out.push_back(0);
  out += header_ids_;
  base::AppendVarintField(out, 3, static_cast<std::uint64_t>(revision.value()));
  base::AppendVarintField(out, 4, deps_.node.status().term.value());
  out[length_at] = static_cast<char>(out.size() - length_at - 1);
}

base::Body Core::HeaderOnly() const {
  std::string out;
  AppendHeader(out, deps_.store.current_revision());
  return base::Body(base::Rope(std::move(out)));
}

// InternalRaftRequest: the operation and 100 header{1 ID}, in the order of their numbers.
std::string Core::BuildEntry(LogField field, std::string_view operation, RequestId id) const {
  std::string header;
  base::AppendVarintField(header, 1, id.value());
  std::string entry;
  entry.reserve(operation.size() + 32);
  const auto number = static_cast<std::uint32_t>(field);
  if (number < kEntryHeaderField) base::AppendMessageField(entry, number, operation);
  base::AppendMessageField(entry, kEntryHeaderField, header);
  if (number > kEntryHeaderField) base::AppendMessageField(entry, number, operation);
  return entry;
}

void Core::ProposeRaw(LogField field, std::string_view operation,
                      const base::CallContextPtr& context, node::ProposeDone done) const {
  const RequestId id = deps_.node.NextRequestId();
  deps_.node.Propose(id, BuildEntry(field, operation, id),
                     {.deadline = context->deadline, .low_cost = false}, std::move(done));
}

void Core::Propose(LogField field, std::string_view operation, const base::CallContextPtr& context,
                   base::UnaryDone done) const {
  ProposeRaw(field, operation, context,
             [this, done = std::move(done)](apply::Result result) mutable {
               done(Answer(std::move(result)));
             });
}

absl::StatusOr<base::Body> Core::Answer(apply::Result result) const {
  if (!result.status.ok()) return std::move(result.status);
  const Revision revision = result.revision ? result.revision : deps_.store.current_revision();
  std::string head;
  head.reserve(kHeaderBytesMax);
  AppendHeader(head, revision);
  base::Rope message(std::move(head));
  message.Append(std::move(result.body));
  return base::Body(std::move(message));
}

void Core::AfterReadIndex(const base::CallContextPtr& context,
                          absl::AnyInvocable<void(absl::Status)> then) const {
  deps_.node.ReadIndex([context, caller = std::this_thread::get_id(),
                        then = std::move(then)](absl::Status status) mutable {
    // Answered within the call (a single voter): this is the loop already.
    if (context->executor == nullptr || caller == std::this_thread::get_id()) {
      then(std::move(status));
      return;
    }
    context->executor->Post([then = std::move(then), status = std::move(status)]() mutable {
      then(std::move(status));
    });
  });
}

absl::Status MalformedRequest() {
  return base::MakeStatus(absl::StatusCode::kInternal,
                          "grpc: error unmarshalling request: proto: wrong wire format");
}

absl::Status MalformedStreamMessage() {
  return base::MakeStatus(
      absl::StatusCode::kInternal,
      "grpc: failed to unmarshal the received message: proto: wrong wire format");
}

}  // namespace etcd::api::v3
