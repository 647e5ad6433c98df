#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>
#include <google/protobuf/message_lite.h>
#include <gtest/gtest.h>

#include "server/api/v3/services.h"
#include "server/base/call.h"
#include "server/ports/peer_transport.h"
#include "server/watch/watch_hub.h"
#include "tests/support/sim_member.h"

// The method table over a real member, store, lessor and watch hub on virtual time.
namespace etcd::testing {

// The member, with what a test wants the handlers to see of it instead.
class ShapedNode final : public node::Node {
 public:
  explicit ShapedNode(SimMember& member) : member_(member) {}

  std::optional<node::Status> shown_status;  // null: the member's own
  std::optional<bool> quota_answer;          // null: the member's own
  std::vector<std::string> proposed;         // entries, in order
  std::vector<std::uint64_t> quota_costs;    // asked for, in order
  std::optional<absl::Status> read_index;    // null: the member's own

  RequestId NextRequestId() override { return member_->NextRequestId(); }
  void Propose(RequestId id, std::string entry, node::ProposeOptions options,
               node::ProposeDone done) override {
    proposed.push_back(entry);
    member_->Propose(id, std::move(entry), options, std::move(done));
  }
  void ReadIndex(node::ReadDone done) override {
    ++read_indexes;
    if (before_read_index) before_read_index();
    if (read_index.has_value()) return done(*read_index);
    member_->ReadIndex(std::move(done));
  }
  void AddMember(std::vector<std::string> peer_urls, bool is_learner, node::ProposeOptions options,
                 node::AddedMemberDone done) override {
    member_->AddMember(std::move(peer_urls), is_learner, options, std::move(done));
  }
  void RemoveMember(MemberId id, node::ProposeOptions options, node::MembersDone done) override {
    member_->RemoveMember(id, options, std::move(done));
  }
  void UpdateMember(MemberId id, std::vector<std::string> peer_urls, node::ProposeOptions options,
                    node::MembersDone done) override {
    member_->UpdateMember(id, std::move(peer_urls), options, std::move(done));
  }
  void PromoteMember(MemberId id, node::ProposeOptions options, node::MembersDone done) override {
    member_->PromoteMember(id, options, std::move(done));
  }
  void MoveLeader(MemberId to, node::ProposeOptions options, node::ReadDone done) override {
    member_->MoveLeader(to, options, std::move(done));
  }
  std::string ReportedVersion() const override { return member_->ReportedVersion(); }
  node::DowngradeInfo Downgrade() const override { return member_->Downgrade(); }
  int read_indexes = 0;
  std::function<void()> before_read_index;
  node::Status status() const override { return shown_status.value_or(member_->status()); }
  MemberId member_id() const override { return member_->member_id(); }
  ClusterId cluster_id() const override { return member_->cluster_id(); }
  std::vector<node::MemberInfo> Members() const override { return member_->Members(); }
  std::string ClusterVersion() const override { return member_->ClusterVersion(); }
  std::string StorageVersion() const override { return member_->StorageVersion(); }
  std::vector<node::AlarmInfo> Alarms() const override { return member_->Alarms(); }
  bool HasAlarm(node::AlarmType type) const override { return member_->HasAlarm(type); }
  std::uint64_t BackendBytes() const override { return member_->BackendBytes(); }
  std::uint64_t BackendBytesInUse() const override { return member_->BackendBytesInUse(); }
  std::int64_t QuotaBytes() const override { return member_->QuotaBytes(); }
  bool AdmitByQuota(std::uint64_t cost) override {
    quota_costs.push_back(cost);
    return quota_answer.has_value() ? *quota_answer : member_->AdmitByQuota(cost);
  }

 private:
  SimMember& member_;
};

// What a client of a stream sees.
class CollectingSink final : public base::StreamSink {
 public:
  void Send(base::Rope message) override {
    if (!end.has_value()) messages.push_back(message.Flatten());
  }
  void Finish(absl::Status status) override {
    if (!end.has_value()) end = std::move(status);
  }
  std::size_t PendingBytes() const override {
    return messages.size() >= stall_after ? kStalledBytes : pending;
  }
  void NotifyWhenBelow(std::size_t bytes, absl::AnyInvocable<void()> ready) override {
    waits.push_back(bytes);
    waiter = std::move(ready);
  }

  std::vector<std::string> messages;
  std::optional<absl::Status> end;
  static constexpr std::size_t kStalledBytes = 64 << 20;
  std::size_t pending = 0;
  std::size_t stall_after = static_cast<std::size_t>(-1);  // the client reads no more than these
  std::vector<std::size_t> waits;
  absl::AnyInvocable<void()> waiter;
};

class Api {
 public:
  explicit Api(node::MemberOptions options = SimMember::DefaultOptions(),
               api::v3::Options api_options = {})
      : member(1, std::move(options)), node(member) {
    const absl::Status booted = member.Boot();
    EXPECT_TRUE(booted.ok()) << booted;
    base::Executor& executor = member.scheduler.NewExecutor();
    hub = std::make_unique<watch::WatchHub>(member->store(), executor,
                                            std::make_unique<base::SeededRandom>(7), nullptr,
                                            watch::WatchOptions());
    member->store().SetObserver(hub.get());
    table.emplace(api::v3::BuildMethodTable(
        {.node = node,
         .store = member->store(),
         .watch = *hub,
         .lessor = member->lessor(),
         .background = executor,
         .bulk = nullptr,
         .snapshot = [this] { return snapshot(); },
         .observer = nullptr,
         .hash_backend = [this] { return mvcc::HashBackend(member.engine); }},
        std::move(api_options)));
  }

  base::CallContextPtr Context(const std::string& path) {
    auto context = std::make_shared<base::CallContext>();
    context->path = table->Find(path)->path;
    context->metadata = metadata;
    return context;
  }

  // Runs until the call is answered; the bytes of the message.
  absl::StatusOr<std::string> CallBytes(const std::string& path, std::string_view request) {
    std::optional<absl::StatusOr<base::Body>> answer;
    table->Find(path)->unary->Start(Context(path), request, [&](absl::StatusOr<base::Body> body) {
      EXPECT_FALSE(answer.has_value()) << "answered twice";
      answer = std::move(body);
    });
    EXPECT_TRUE(member.scheduler.RunUntil([&] { return answer.has_value(); })) << path;
    if (!answer->ok()) return answer->status();
    return Flatten(**answer);
  }

  // All of a body, whose promised length is checked.
  static absl::StatusOr<std::string> Flatten(base::Body& body) {
    std::string bytes = body.head.Flatten();
    while (body.source != nullptr) {
      auto chunk = body.source->Next(4096);
      if (!chunk.ok()) return chunk.status();
      if (chunk->empty()) break;
      bytes += chunk->Flatten();
    }
    EXPECT_EQ(bytes.size(), body.size());
    return bytes;
  }

  template <typename Response>
  absl::StatusOr<Response> Call(const std::string& path,
                                const google::protobuf::MessageLite& request) {
    auto bytes = CallBytes(path, request.SerializeAsString());
    if (!bytes.ok()) return bytes.status();
    Response response;
    EXPECT_TRUE(response.ParseFromString(*bytes)) << path;
    return response;
  }
  // The status of a call whose answer does not matter.
  absl::Status StatusOf(const std::string& path, const google::protobuf::MessageLite& request) {
    return CallBytes(path, request.SerializeAsString()).status();
  }

  struct Stream {
    std::shared_ptr<CollectingSink> sink = std::make_shared<CollectingSink>();
    std::unique_ptr<base::StreamHandler> handler;
    base::CallContextPtr context;

    template <typename Message>
    Message Parse(std::size_t i) const {
      Message message;
      EXPECT_TRUE(i < sink->messages.size() && message.ParseFromString(sink->messages[i]));
      return message;
    }
  };
  Stream Open(const std::string& path) {
    Stream stream;
    stream.context = Context(path);
    stream.handler = table->Find(path)->stream->Open(stream.context, stream.sink);
    return stream;
  }
  // Until the stream has sent this many messages.
  bool WaitFor(const Stream& stream, std::size_t messages) {
    return member.WaitFor([&] { return stream.sink->messages.size() >= messages; });
  }
  // Lets everything that is due now happen.
  void Settle() { member.scheduler.RunFor(std::chrono::milliseconds(300)); }

  SimMember member;
  ShapedNode node;
  std::unique_ptr<watch::WatchHub> hub;
  std::optional<base::MethodTable> table;
  // What Maintenance.Snapshot sends; set before a call.
  std::function<absl::StatusOr<std::unique_ptr<ports::SnapshotSource>>()> snapshot;
  base::Metadata metadata;  // of the calls to come
};

}  // namespace etcd::testing
