#include "server/apply/operation.h"

#include <etcdserverpb/raft_internal.pb.h>
#include <set>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

namespace etcd::apply {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

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
  request.mutable_auth_user_add()->set_name("caf\xe9");
  request.mutable_auth_user_add()->set_password("secret");
  const std::string text = DescribeEntry(request.SerializeAsString());
  EXPECT_EQ(text, R"(auth_user_add:<name:"caf\351" password_size:6 >)");
  EXPECT_EQ(OperationOf(request), Operation::kAuth);
}

// Go checks no text of the log; an entry of a Go leader that only we cannot decode would end us.
TEST(ApplyOperation, NoTextOfTheLogHasToBeUtf8) {
  std::vector<const Descriptor*> left = {etcdserverpb::InternalRaftRequest::descriptor()};
  std::set<const Descriptor*> seen(left.begin(), left.end());
  while (!left.empty()) {
    const Descriptor* message = left.back();
    left.pop_back();
    for (int i = 0; i < message->field_count(); ++i) {
      const FieldDescriptor& field = *message->field(i);
      EXPECT_NE(field.type(), FieldDescriptor::TYPE_STRING) << field.full_name();
      if (field.message_type() != nullptr && seen.insert(field.message_type()).second) {
        left.push_back(field.message_type());
      }
    }
  }
  EXPECT_GT(seen.size(), 30U);
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
