#include "server/apply/entry_check.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "server/apply/alarms.h"
#include "server/base/bytes.h"
#include "server/base/random.h"
#include "tests/unit/apply/apply_fixture.h"

namespace etcd::apply {
namespace {

using Request = etcdserverpb::InternalRaftRequest;
using Fill = std::function<void(Request&)>;

const membership::View& Members() {
  static const membership::View* view = [] {
    auto* out = new membership::View;
    out->members[MemberId(1)] = {MemberId(1), {"http://h:1"}, false, "a", {}};
    out->members[MemberId(2)] = {MemberId(2), {"http://h:2"}, true, "", {}};
    out->removed.insert(MemberId(9));
    return out;
  }();
  return *view;
}

EntryRules Rules() {
  return {.bytes_max = 4096,
          .oldest_minor = 6,
          .newest_foreign_minor = 0,
          .own_minor = 6,
          .members = &Members(),
          .appended_to = &Members()};
}

std::string Encode(const Fill& fill) {
  Request request;
  request.mutable_header()->set_id(7);
  fill(request);
  return request.SerializeAsString();
}

// The reason of the refusal; "" when the bytes go on as they are, "encoded anew" when not.
std::string Verdict(const std::string& data, const EntryRules& rules = Rules()) {
  const auto checked = CheckRequest(raft::Payload(data), rules);
  if (!checked.ok()) return std::string(base::MessageOf(checked.status()));
  return checked->view() == data ? "" : "encoded anew";
}

// One of each kind that members forward, as Go writes them.
std::map<std::string, std::string> Good() {
  std::map<std::string, std::string> out;
  const auto add = [&](const std::string& name, const Fill& fill) { out[name] = Encode(fill); };
  add("put", [](Request& r) {
    r.mutable_put()->set_key("k");
    r.mutable_put()->set_value("\xff\xfe");
  });
  add("range", [](Request& r) { r.mutable_range()->set_key("k"); });
  add("delete", [](Request& r) { r.mutable_delete_range()->set_key("k"); });
  add("txn", [](Request& r) {
    auto& compare = *r.mutable_txn()->add_compare();
    compare.set_key("k");
    compare.set_version(0);
    r.mutable_txn()->add_success()->mutable_request_put()->set_key("k");
    r.mutable_txn()->add_failure()->mutable_request_range()->set_key("k");
  });
  add("compaction", [](Request& r) { r.mutable_compaction()->set_revision(1); });
  add("grant", [](Request& r) { r.mutable_lease_grant()->set_ttl(60); });
  add("revoke", [](Request& r) { r.mutable_lease_revoke()->set_id(-5); });
  add("checkpoint", [](Request& r) { r.mutable_lease_checkpoint()->add_checkpoints()->set_id(1); });
  add("alarms", [](Request& r) { r.mutable_alarm(); });
  add("alarm", [](Request& r) {
    r.mutable_alarm()->set_action(etcdserverpb::AlarmRequest::ACTIVATE);
    r.mutable_alarm()->set_alarm(etcdserverpb::NOSPACE);
    r.mutable_alarm()->set_memberid(1);
  });
  add("auth status", [](Request& r) { r.mutable_auth_status(); });
  add("login", [](Request& r) { r.mutable_authenticate()->set_name("caf\xc3\xa9"); });
  add("users", [](Request& r) { r.mutable_auth_user_list(); });
  add("version", [](Request& r) { r.mutable_cluster_version_set()->set_ver("3.6.0"); });
  add("attributes", [](Request& r) {
    r.mutable_cluster_member_attr_set()->set_member_id(1);
    r.mutable_cluster_member_attr_set()->mutable_member_attributes()->set_name("a");
  });
  add("downgrade", [](Request& r) {
    r.mutable_downgrade_info_set()->set_enabled(true);
    r.mutable_downgrade_info_set()->set_ver("3.5.0");
  });
  add("downgrade over", [](Request& r) { r.mutable_downgrade_info_set(); });
  Request only_id;
  only_id.set_id(7);
  only_id.mutable_put()->set_key("k");
  out["legacy id"] = only_id.SerializeAsString();
  return out;
}

std::string Legacy(std::string_view method, std::string_view path, std::string_view value) {
  std::string out;
  base::AppendVarintField(out, 1, 7);
  base::AppendBytesField(out, 2, method);
  base::AppendBytesField(out, 3, path);
  base::AppendBytesField(out, 4, value);
  return out;
}

TEST(EntryCheck, PassesOnWhatMembersForward) {
  for (const auto& [name, bytes] : Good()) EXPECT_EQ(Verdict(bytes), "") << name;
  EXPECT_EQ(Verdict(Legacy("PUT", "/0/version", "3.5.0")), "");
  EXPECT_EQ(Verdict(Legacy("PUT", "/0/members/1/attributes", R"({"name":"a"})")), "");
  EXPECT_EQ(Verdict(Legacy("QGET", "", "")), "");
  EXPECT_EQ(Verdict(Legacy("PUT", "/1/users", "x")), "");
}

TEST(EntryCheck, RefusesWhatNoMemberCanDecode) {
  EXPECT_EQ(Verdict(""), "an empty entry");
  EXPECT_EQ(Verdict("garbage"), "no request");
  const std::string put = Good()["put"];
  EXPECT_EQ(Verdict(put.substr(0, put.size() - 1)), "no request");
  EXPECT_EQ(Verdict(std::string(5000, 'x')), "too large");
  // `put` as a number: unknown to one decoder, an error to the other.
  std::string mistyped = Encode([](Request&) {});
  base::AppendVarintField(mistyped, 4, 1);
  EXPECT_EQ(Verdict(mistyped), "not exactly one known operation");
}

TEST(EntryCheck, RefusesWhatMembersWouldDieOf) {
  const std::string none = "not exactly one known operation";
  EXPECT_EQ(Verdict(Encode([](Request&) {})), none);
  EXPECT_EQ(Verdict(Encode([](Request& r) {
              r.mutable_put();
              r.mutable_range();
            })),
            none);
  std::string unknown = Encode([](Request&) {});
  base::AppendMessageField(unknown, 1400, "");
  EXPECT_EQ(Verdict(unknown), none);
  Request nameless;
  nameless.mutable_put()->set_key("k");
  EXPECT_EQ(Verdict(nameless.SerializeAsString()), "neither header nor id");
  for (const auto& [action, type] : {std::pair{3, 1}, {1, 3}, {-1, 0}}) {
    EXPECT_EQ(Verdict(Encode([&](Request& r) {
                r.mutable_alarm()->set_action(
                    static_cast<etcdserverpb::AlarmRequest::AlarmAction>(action));
                r.mutable_alarm()->set_alarm(static_cast<etcdserverpb::AlarmType>(type));
              })),
              "unknown alarm");
  }
  EXPECT_EQ(Verdict(Encode([](Request& r) {
              r.mutable_header()->set_username("\xff");
              r.mutable_put();
            })),
            "text is not UTF-8");
  std::string name = Encode([](Request& r) { r.mutable_auth_role_get()->set_role("x"); });
  name.back() = '\xff';
  EXPECT_EQ(Verdict(name), "text is not UTF-8");
  EXPECT_EQ(Verdict(Encode([](Request& r) {
              r.mutable_cluster_member_attr_set()->set_member_id(1);
              r.mutable_cluster_member_attr_set()->mutable_member_attributes()->set_name("\xff");
            })),
            "text is not UTF-8");
}

TEST(EntryCheck, RefusesVersionsAndAttributesThatCannotBe) {
  for (const char* bad : {"", "3.7.0", "4.0.0", "3.6", "x", "3.-1.0", "3.6.0 "}) {
    const std::string version = "bad version";
    EXPECT_EQ(Verdict(Encode([&](Request& r) { r.mutable_cluster_version_set()->set_ver(bad); })),
              version);
    EXPECT_EQ(Verdict(Encode([&](Request& r) {
                r.mutable_downgrade_info_set()->set_enabled(true);
                r.mutable_downgrade_info_set()->set_ver(bad);
              })),
              version);
    EXPECT_EQ(Verdict(Legacy("PUT", "/0/version", bad)), version);
  }
  const auto attributes = [](std::uint64_t id) {
    return Encode([&](Request& r) {
      r.mutable_cluster_member_attr_set()->set_member_id(id);
      r.mutable_cluster_member_attr_set()->mutable_member_attributes();
    });
  };
  EXPECT_EQ(Verdict(attributes(9)), "");  // it is ignored when it is applied
  EXPECT_EQ(Verdict(attributes(3)), "attributes of an unknown member");
  EntryRules rules = Rules();
  rules.members = nullptr;
  EXPECT_EQ(Verdict(attributes(3), rules), "");
  EXPECT_EQ(
      Verdict(Encode([](Request& r) { r.mutable_cluster_member_attr_set()->set_member_id(1); })),
      "malformed attributes");
  EXPECT_EQ(Verdict(Legacy("PUT", "/0/members/3/attributes", "{}")),
            "attributes of an unknown member");
  EXPECT_EQ(Verdict(Legacy("PUT", "/0/members/1/attributes", "x")), "malformed attributes");
  EXPECT_EQ(Verdict(Legacy("PUT", "/0/members/xyz/attributes", "{}")),
            "malformed path of a member");
}

TEST(EntryCheck, RefusesWhatSomeMembersDoNotKnow) {
  EntryRules rules = Rules();
  rules.oldest_minor = 4;
  const std::string newer = "an operation that older members do not know";
  for (const char* name : {"version", "attributes", "downgrade", "downgrade over", "auth status"}) {
    EXPECT_EQ(Verdict(Good()[name], rules), newer) << name;
  }
  EXPECT_EQ(Verdict(Good()["checkpoint"], rules), "");
  const std::string test =
      Encode([](Request& r) { r.mutable_downgrade_version_test()->set_ver("3.6.0"); });
  rules.oldest_minor = 5;
  EXPECT_EQ(Verdict(Good()["version"], rules), "");
  EXPECT_EQ(Verdict(test, rules), newer);
  EXPECT_EQ(Verdict(test), "");
  const std::string v2 = "a v2 request, which members do not know";
  rules.newest_foreign_minor = 6;
  EXPECT_EQ(Verdict(Legacy("QGET", "", ""), rules), v2);
  EXPECT_EQ(Verdict(Legacy("PUT", "/1/users", "x"), rules), v2);
  EXPECT_EQ(Verdict(Legacy("PUT", "/0/version", "3.5.0"), rules), "");
  rules.newest_foreign_minor = 7;
  EXPECT_EQ(Verdict(Legacy("PUT", "/0/version", "3.5.0"), rules), v2);
  EXPECT_EQ(Verdict(Legacy("PUT", "/0/members/1/raftAttributes", "{}")),
            "a v2 request outside of the users' keys");
}

// A member of this kind stops where it meets one in the log.
TEST(EntryCheck, RefusesWhatNeedsAuthentication) {
  const std::string needs = "it needs authentication";
  EXPECT_EQ(Verdict(Encode([](Request& r) { r.mutable_auth_enable(); })), needs);
  EXPECT_EQ(Verdict(Encode([](Request& r) { r.mutable_auth_user_add()->set_name("u"); })), needs);
  EXPECT_EQ(Verdict(Encode([](Request& r) { r.mutable_auth_role_delete()->set_role("r"); })),
            needs);
  EXPECT_EQ(Verdict(Encode([](Request& r) {
              r.mutable_header()->set_username("u");
              r.mutable_put()->set_key("k");
            })),
            needs);
}

// Go merges repeated fields in another way, and members that know a field would part from others.
TEST(EntryCheck, EncodesAnewWhatDecodersReadInTwoWays) {
  const std::string put = Good()["put"];
  std::string twice = put;
  base::AppendMessageField(twice, 4, std::string("\x0a\x01j", 3));
  EXPECT_EQ(Verdict(twice), "encoded anew");
  std::string extra = put;
  base::AppendVarintField(extra, 77, 1);
  EXPECT_EQ(Verdict(extra), "encoded anew");
  EXPECT_EQ(CheckRequest(raft::Payload(extra), Rules())->view(), put);
}

// Whatever is accepted can be applied, and is accepted again as it is.
TEST(EntryCheck, WhatItAcceptsNeverEndsAMember) {
  base::SeededRandom random(3);
  std::vector<std::string> seeds;
  for (const auto& [name, bytes] : Good()) seeds.push_back(bytes);
  seeds.push_back(Legacy("PUT", "/0/version", "3.5.0"));
  seeds.push_back(Legacy("PUT", "/0/members/1/attributes", R"({"name":"a"})"));
  engine::MemEngine engine;
  Replica replica(engine);
  Index index;
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = seeds[random.Below(seeds.size())];
    for (std::uint64_t n = 1 + random.Below(3); n > 0 && !bytes.empty(); --n) {
      bytes[random.Below(bytes.size())] = static_cast<char>(random.Below(256));
    }
    const auto checked = CheckRequest(raft::Payload(bytes), Rules());
    if (!checked.ok()) continue;
    ++accepted;
    EXPECT_EQ(Verdict(std::string(checked->view())), "");
    index = index + 1;
    replica.ApplyAll({{Term(1), index, raft::EntryType::kNormal, *checked}});
    ASSERT_FALSE(::testing::Test::HasFailure()) << i;
  }
  EXPECT_GT(accepted, 1000);
}

// ---- Configuration changes

std::string Change(raft::ConfChangeType type, std::uint64_t id, std::string context) {
  return raftcodec::Encode(raft::ConfChange{5, type, MemberId(id), std::move(context)});
}

std::string ChangeVerdict(const std::string& data, const EntryRules& rules = Rules()) {
  const auto checked = CheckConfChange(raft::Payload(data), rules);
  if (!checked.ok()) return std::string(base::MessageOf(checked.status()));
  return checked->view() == data ? "" : "encoded anew";
}

TEST(EntryCheck, PassesOnChangesOfTheMembership) {
  using enum raft::ConfChangeType;
  EXPECT_EQ(ChangeVerdict(Change(kAddNode, 3, R"({"id":3,"peerURLs":["http://h:3"]})")), "");
  EXPECT_EQ(ChangeVerdict(Change(kAddLearnerNode, 3,
                                 R"({"id":3,"peerURLs":["http://h:3"],"isLearner":true})")),
            "");
  EXPECT_EQ(ChangeVerdict(Change(kAddNode, 2, R"({"id":2,"peerURLs":null,"isPromote":true})")), "");
  EXPECT_EQ(ChangeVerdict(Change(kUpdateNode, 1, R"({"id":1,"peerURLs":["https://h:3"]})")), "");
  EXPECT_EQ(ChangeVerdict(Change(kRemoveNode, 2, "")), "");
}

TEST(EntryCheck, RefusesChangesThatMembersWouldDieOf) {
  using enum raft::ConfChangeType;
  EXPECT_EQ(ChangeVerdict("garbage"), "no configuration change");
  EXPECT_EQ(ChangeVerdict(Change(static_cast<raft::ConfChangeType>(4), 3, "")),
            "unknown type of configuration change");
  for (const std::uint64_t id : {0ULL, 0xffffffffffffffffULL, 0xfffffffffffffffeULL}) {
    EXPECT_EQ(ChangeVerdict(Change(kRemoveNode, id, "")), "reserved member id");
  }
  const std::string malformed = "malformed context of a configuration change";
  EXPECT_EQ(ChangeVerdict(Change(kAddNode, 3, "x")), malformed);
  EXPECT_EQ(ChangeVerdict(Change(kAddNode, 3, "")), malformed);
  EXPECT_EQ(ChangeVerdict(Change(kAddNode, 3, R"({"id":4,"peerURLs":["http://h:3"]})")), malformed);
  for (const char* urls : {"[]", "null", R"(["h:3"])", R"(["http://h"])", R"(["http://h:1/x"])"}) {
    const std::string context = std::string(R"({"id":3,"peerURLs":)") + urls + "}";
    EXPECT_EQ(ChangeVerdict(Change(kAddNode, 3, context)), "bad peer URLs") << urls;
    EXPECT_EQ(ChangeVerdict(Change(kUpdateNode, 3, context)), "bad peer URLs") << urls;
  }
}

// Whoever appends it must not; who passes it on may not know all members.
TEST(EntryCheck, RefusesToAppendTheRemovalOfTheLastVoter) {
  using enum raft::ConfChangeType;
  const std::string removal = Change(kRemoveNode, 1, "");
  EntryRules rules = Rules();
  rules.members = nullptr;
  EXPECT_EQ(ChangeVerdict(removal, rules), "removal of the last voter");
  rules.appended_to = nullptr;
  EXPECT_EQ(ChangeVerdict(removal, rules), "");
}

// The last of two equal keys counts for one decoder, the first for the other.
TEST(EntryCheck, EncodesContextsAnew) {
  EXPECT_EQ(ChangeVerdict(Change(raft::ConfChangeType::kAddNode, 3,
                                 R"({"ID":3, "peerURLs":["http://h:3"],"more":1})")),
            "encoded anew");
}

}  // namespace
}  // namespace etcd::apply
