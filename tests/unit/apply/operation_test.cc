#include "server/apply/operation.h"

#include <etcdserverpb/raft_internal.pb.h>

#include <gtest/gtest.h>

namespace etcd::apply {
namespace {

TEST(ApplyOperation, DescriptionHasSizesInPlaceOfValues) {
  etcdserverpb::InternalRaftRequest request;
  request.mutable_header()->set_id(7);
  request.mutable_put()->set_key("foo");
  request.mutable_put()->set_value("secret");
  EXPECT_EQ(DescribeEntry(request.SerializeAsString()),
            "header:<ID:7 > put:<key:\"foo\" value_size:6 >");
}

TEST(ApplyOperation, DescriptionOfAnAuthRequestHasNoPassword) {
  etcdserverpb::InternalRaftRequest request;
  request.mutable_auth_user_add()->set_name("u");
  request.mutable_auth_user_add()->set_password("secret");
  const std::string text = DescribeEntry(request.SerializeAsString());
  EXPECT_EQ(text.find("secret"), std::string::npos) << text;
  EXPECT_EQ(OperationOf(request), Operation::kAuth);
}

TEST(ApplyOperation, EachRequestHasItsName) {
  etcdserverpb::InternalRaftRequest request;
  EXPECT_EQ(kOperationNames[static_cast<std::size_t>(OperationOf(request))], "unknown");
  request.mutable_cluster_member_attr_set();
  EXPECT_EQ(kOperationNames[static_cast<std::size_t>(OperationOf(request))],
            "ClusterMemberAttrSet");
  request.mutable_put();
  EXPECT_EQ(kOperationNames[static_cast<std::size_t>(OperationOf(request))], "Put");
}

}  // namespace
}  // namespace etcd::apply
