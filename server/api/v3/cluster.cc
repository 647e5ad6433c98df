#include "server/api/v3/cluster.h"

#include <string>
#include <utility>

#include "server/api/v3/wire.h"
#include "server/base/bytes.h"
#include "server/base/status.h"

namespace etcd::api::v3 {
namespace {

// Member: 1 ID, 2 name, 3 peerURLs, 4 clientURLs, 5 isLearner.
std::string EncodeMember(const node::MemberInfo& member) {
  std::string out;
  base::AppendVarintField(out, 1, member.id.value());
  base::AppendBytesField(out, 2, member.name);
  for (const std::string& url : member.peer_urls) base::AppendMessageField(out, 3, url);
  for (const std::string& url : member.client_urls) base::AppendMessageField(out, 4, url);
  base::AppendVarintField(out, 5, member.is_learner ? 1 : 0);
  return out;
}

// MemberListResponse: 1 header (without revision, as in all of Cluster), 2 members.
base::Body EncodeMembers(const Core& core) {
  std::string out;
  core.AppendHeader(out, Revision());
  for (const node::MemberInfo& member : core.node().Members()) {
    base::AppendMessageField(out, 2, EncodeMember(member));
  }
  return base::Body(base::Rope(std::move(out)));
}

}  // namespace

void ClusterService::MemberList(base::CallContextPtr context, std::string_view request,
                                base::UnaryDone done) const {
  bool linearizable = false;
  WireReader reader(request);
  for (WireField field; reader.Next(field);) {
    if (field.IsVarint(1)) linearizable = field.varint != 0;
  }
  if (!reader.ok()) return done(MalformedRequest());
  if (!linearizable) return done(EncodeMembers(core_));
  core_.AfterReadIndex(context, [this, done = std::move(done)](absl::Status status) mutable {
    if (!status.ok()) return done(std::move(status));
    done(EncodeMembers(core_));
  });
}

}  // namespace etcd::api::v3
