#include "server/api/v3/cluster.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "server/api/v3/wire.h"
#include "server/base/bytes.h"
#include "server/base/status.h"
#include "server/base/utf8.h"
#include "server/config/urls.h"

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

// MemberList-, Remove-, Update- and PromoteResponse: 1 header, 2 members. MemberAddResponse has the
// new member at 2 and the members at 3.
base::Body EncodeMembers(const Core& core, const std::vector<node::MemberInfo>& members,
                         const node::MemberInfo* added = nullptr) {
  std::string out;
  core.AppendHeader(out, Revision());
  if (added != nullptr) base::AppendMessageField(out, 2, EncodeMember(*added));
  for (const node::MemberInfo& member : members) {
    base::AppendMessageField(out, added != nullptr ? 3 : 2, EncodeMember(member));
  }
  return base::Body(base::Rope(std::move(out)));
}

// MemberAddRequest: 1 peerURLs, 2 isLearner. MemberUpdateRequest: 1 ID, 2 peerURLs. Remove and
// Promote: 1 ID.
struct ChangeArgs {
  MemberId id;
  bool flag = false;
  std::vector<std::string> urls;
};

bool ParseChange(std::string_view request, std::uint32_t urls_field, ChangeArgs& out) {
  WireReader reader(request);
  for (WireField field; reader.Next(field);) {
    if (field.IsVarint(1)) out.id = MemberId(field.varint);
    if (field.IsVarint(2)) out.flag = field.varint != 0;
    if (!field.IsBytes(urls_field)) continue;
    if (!base::IsValidUtf8(field.bytes)) return false;
    out.urls.emplace_back(field.bytes);
  }
  return reader.ok();
}

// At least one, each with a host and a port and without a path.
bool NormalizeUrls(std::vector<std::string>& urls) {
  for (std::string& url : urls) {
    const auto parsed = config::ParseUrl(url);
    if (!parsed.ok()) return false;
    url = parsed->ToString();
  }
  return !urls.empty();
}

node::ProposeOptions OptionsOf(const base::CallContext& context) {
  node::ProposeOptions options;
  options.deadline = context.deadline;
  return options;
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
  if (!linearizable) return done(EncodeMembers(core_, core_.node().Members()));
  core_.AfterReadIndex(context, [this, done = std::move(done)](absl::Status status) mutable {
    if (!status.ok()) return done(std::move(status));
    done(EncodeMembers(core_, core_.node().Members()));
  });
}

void ClusterService::MemberAdd(base::CallContextPtr context, std::string_view request,
                               base::UnaryDone done) const {
  ChangeArgs args;
  if (!ParseChange(request, 1, args)) return done(MalformedRequest());
  if (!NormalizeUrls(args.urls)) return done(Error(Errc::kMemberBadUrls));
  core_.node().AddMember(
      std::move(args.urls), args.flag, OptionsOf(*context),
      [this, done = std::move(done)](absl::StatusOr<node::AddedMember> added) mutable {
        if (!added.ok()) return done(added.status());
        done(EncodeMembers(core_, added->members, &added->member));
      });
}

void ClusterService::MemberRemove(base::CallContextPtr context, std::string_view request,
                                  base::UnaryDone done) const {
  ChangeArgs args;
  if (!ParseChange(request, 0, args)) return done(MalformedRequest());
  core_.node().RemoveMember(args.id, OptionsOf(*context), AnswerWithList(std::move(done)));
}

// etcd takes any text and dies of it when the change is applied; here bad URLs are refused.
void ClusterService::MemberUpdate(base::CallContextPtr context, std::string_view request,
                                  base::UnaryDone done) const {
  ChangeArgs args;
  if (!ParseChange(request, 2, args)) return done(MalformedRequest());
  if (!NormalizeUrls(args.urls)) return done(Error(Errc::kMemberBadUrls));
  core_.node().UpdateMember(args.id, std::move(args.urls), OptionsOf(*context),
                            AnswerWithList(std::move(done)));
}

void ClusterService::MemberPromote(base::CallContextPtr context, std::string_view request,
                                   base::UnaryDone done) const {
  ChangeArgs args;
  if (!ParseChange(request, 0, args)) return done(MalformedRequest());
  core_.node().PromoteMember(args.id, OptionsOf(*context), AnswerWithList(std::move(done)));
}

node::MembersDone ClusterService::AnswerWithList(base::UnaryDone done) const {
  return [this,
          done = std::move(done)](absl::StatusOr<std::vector<node::MemberInfo>> members) mutable {
    if (!members.ok()) return done(members.status());
    done(EncodeMembers(core_, *members));
  };
}

}  // namespace etcd::api::v3
