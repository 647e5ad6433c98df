#include <memory>
#include <utility>

#include "server/base/check.h"
#include "tests/simulation/member.h"
#include "tests/simulation/member_life.h"

namespace etcd::simulation {
namespace {

constexpr std::uint64_t kChunkBytes = 16'384;

// A client never hears success for these from a member that has failed.
bool IsWrite(const std::string& path) {
  return path == "/etcdserverpb.KV/Put" || path == "/etcdserverpb.KV/DeleteRange" ||
         path == "/etcdserverpb.Lease/LeaseGrant" || path == "/etcdserverpb.Lease/LeaseRevoke";
}

}  // namespace

void SimMember::Call(const std::string& path, std::string request, Answer answer) {
  if (!is_serving()) {
    world_.After(Latency(world_), [answer = std::move(answer)] {
      answer({Reply::Kind::kRefused, "", absl::OkStatus()});
    });
    return;
  }
  Life* life = life_.get();
  const std::uint64_t id = next_call_++;
  life->waiting.emplace(id, std::move(answer));
  world_.After(Latency(world_), [this, life, id, path, request = std::move(request)]() mutable {
    if (life_.get() != life) return;
    life->loop.Post([this, life, id, path, request = std::move(request)] {
      const base::MethodEntry* entry = life->table->Find(path);
      CHECK(entry != nullptr && entry->unary != nullptr) << path;
      auto context = std::make_shared<base::CallContext>();
      context->path = entry->path;
      context->executor = std::shared_ptr<base::Executor>(&life->loop, [](base::Executor*) {});
      entry->unary->Start(std::move(context), request,
                          [this, life, id, path](absl::StatusOr<base::Body> body) {
                            Respond(*life, id, path, std::move(body));
                          });
    });
  });
}

void SimMember::Respond(Life& life, std::uint64_t id, const std::string& path,
                        absl::StatusOr<base::Body> body) {
  if (life.process.is_doomed()) return;
  if (!body.ok()) return Deliver(life, id, {Reply::Kind::kError, "", body.status()});
  if (life.halted && IsWrite(path)) {
    return world_.Fail("a member whose disk failed acknowledges " + path);
  }
  std::string head = body->head.Flatten();
  if (body->source == nullptr) return Deliver(life, id, {Reply::Kind::kOk, head, {}});
  world_.Count("streamed unary response");
  auto shared = std::make_shared<base::Body>(*std::move(body));
  life.loop.Post(
      [this, &life, id, shared, head = std::move(head)] { DrainBody(life, id, shared, head); });
}

// As flow control would take it: other work comes between the pieces.
void SimMember::DrainBody(Life& life, std::uint64_t id, std::shared_ptr<base::Body> body,
                          std::string bytes) {
  absl::StatusOr<base::Rope> next = body->source->Next(kChunkBytes);
  if (!next.ok()) return Deliver(life, id, {Reply::Kind::kError, "", next.status()});
  if (!next->empty()) {
    bytes += next->Flatten();
    life.loop.PostAfter(Latency(world_), [this, &life, id, body, bytes = std::move(bytes)] {
      DrainBody(life, id, body, bytes);
    });
    return;
  }
  if (bytes.size() != body->size()) world_.Fail("a streamed response has not the promised length");
  Deliver(life, id, {Reply::Kind::kOk, std::move(bytes), {}});
}

void SimMember::Deliver(Life& life, std::uint64_t id, Reply reply) {
  auto node = life.waiting.extract(id);
  if (node.empty()) return world_.Fail("a call was answered twice");
  world_.After(Latency(world_), [answer = std::move(node.mapped()),
                                 reply = std::move(reply)]() mutable { answer(std::move(reply)); });
}

etcdserverpb::MemberListResponse SimMember::ListMembers() const {
  etcdserverpb::MemberListResponse out;
  if (life_ == nullptr || life_->member == nullptr || life_->process.is_doomed()) return out;
  out.mutable_header()->set_cluster_id(life_->member->cluster_id().value());
  for (const node::MemberInfo& info : life_->member->Members()) {
    etcdserverpb::Member& member = *out.add_members();
    member.set_id(info.id.value());
    member.set_name(info.name);
    member.set_islearner(info.is_learner);
    for (const std::string& url : info.peer_urls) member.add_peerurls(url);
    for (const std::string& url : info.client_urls) member.add_clienturls(url);
  }
  return out;
}

std::shared_ptr<Stream> SimMember::Open(const std::string& path, Stream::OnMessage on_message,
                                        Stream::OnEnd on_end) {
  if (!is_serving()) return nullptr;
  Life* life = life_.get();
  const base::MethodEntry* entry = life->table->Find(path);
  CHECK(entry != nullptr && entry->stream != nullptr) << path;
  auto stream = std::make_shared<Stream>(world_, life->process, life->loop, std::move(on_message),
                                         std::move(on_end));
  std::erase_if(life->streams, [](const auto& one) { return one->is_gone(); });
  life->streams.push_back(stream);
  life->loop.Post([life, entry, stream] {
    auto context = std::make_shared<base::CallContext>();
    context->path = entry->path;
    context->executor = std::shared_ptr<base::Executor>(&life->loop, [](base::Executor*) {});
    stream->Attach(entry->stream->Open(std::move(context), stream));
  });
  return stream;
}

}  // namespace etcd::simulation
