#include "server/api/v3/reflection.h"

#include <set>
#include <string>

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <grpc/reflection/v1/reflection.pb.h>
#include <gtest/gtest.h>

#include "tests/unit/api/v3/api_fixture.h"

namespace etcd::api::v3 {
namespace {

using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;
using testing::Api;

constexpr char kV1[] = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
constexpr char kV1Alpha[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

struct Reflection : ::testing::Test {
  Reflection() { AddReflection(*api.table); }

  ServerReflectionResponse Ask(const Api::Stream& stream, const ServerReflectionRequest& request) {
    const std::size_t before = stream.sink->messages.size();
    stream.handler->OnMessage(request.SerializeAsString());
    return stream.Parse<ServerReflectionResponse>(before);
  }
  ServerReflectionResponse AskForSymbol(const Api::Stream& stream, const std::string& symbol) {
    ServerReflectionRequest request;
    request.set_file_containing_symbol(symbol);
    return Ask(stream, request);
  }

  Api api;
};

TEST_F(Reflection, ListsEveryServiceOfTheTable) {
  for (const char* path : {kV1, kV1Alpha}) {
    ServerReflectionRequest request;
    request.set_host("h");
    request.set_list_services("*");
    const auto response = Ask(api.Open(path), request);
    std::vector<std::string> names;
    for (const auto& service : response.list_services_response().service()) {
      names.push_back(service.name());
    }
    EXPECT_THAT(names, ::testing::ElementsAre(
                           "etcdserverpb.Auth", "etcdserverpb.Cluster", "etcdserverpb.KV",
                           "etcdserverpb.Lease", "etcdserverpb.Maintenance", "etcdserverpb.Watch",
                           "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                           "grpc.reflection.v1alpha.ServerReflection", "v3electionpb.Election",
                           "v3lockpb.Lock"));
    EXPECT_EQ(response.valid_host(), "h");
    EXPECT_EQ(response.original_request().list_services(), "*");
  }
}

// What a client does: it builds every service out of the files that it is given.
TEST_F(Reflection, TheFilesOfEachServiceAreEnoughToBuildIt) {
  ServerReflectionRequest list;
  list.set_list_services("");
  const auto services = Ask(api.Open(kV1), list);
  for (const auto& service : services.list_services_response().service()) {
    const auto response = AskForSymbol(api.Open(kV1), service.name());
    google::protobuf::SimpleDescriptorDatabase files;
    for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto proto;
      ASSERT_TRUE(proto.ParseFromString(bytes));
      EXPECT_TRUE(files.Add(proto)) << proto.name() << " twice";
    }
    const google::protobuf::DescriptorPool pool(&files);
    const auto* descriptor = pool.FindServiceByName(service.name());
    ASSERT_NE(descriptor, nullptr) << service.name();
    for (const auto& entry : api.table->entries()) {
      const std::string prefix = "/" + service.name() + "/";
      if (!entry->path.starts_with(prefix)) continue;
      EXPECT_NE(descriptor->FindMethodByName(entry->path.substr(prefix.size())), nullptr)
          << entry->path;
    }
  }
}

TEST_F(Reflection, ImportsAreSentOnceInAStream) {
  const auto stream = api.Open(kV1);
  const auto first = AskForSymbol(stream, "etcdserverpb.KV");
  EXPECT_GE(first.file_descriptor_response().file_descriptor_proto_size(), 3);
  const auto again = AskForSymbol(stream, "etcdserverpb.RangeRequest.key");
  EXPECT_EQ(again.file_descriptor_response().file_descriptor_proto_size(), 1);
  EXPECT_FALSE(stream.sink->end.has_value());
  stream.handler->OnHalfClose();
  ASSERT_TRUE(stream.sink->end.has_value());
  EXPECT_TRUE(stream.sink->end->ok());
}

TEST_F(Reflection, FindsFilesByNameAndTypesWithoutExtensions) {
  const auto stream = api.Open(kV1);
  ServerReflectionRequest request;
  request.set_file_by_filename("mvccpb/kv.proto");
  google::protobuf::FileDescriptorProto proto;
  const auto file = Ask(stream, request);
  ASSERT_EQ(file.file_descriptor_response().file_descriptor_proto_size(), 1);
  ASSERT_TRUE(proto.ParseFromString(file.file_descriptor_response().file_descriptor_proto(0)));
  EXPECT_EQ(proto.package(), "mvccpb");
  request.set_all_extension_numbers_of_type("mvccpb.KeyValue");
  const auto numbers = Ask(stream, request).all_extension_numbers_response();
  EXPECT_EQ(numbers.base_type_name(), "mvccpb.KeyValue");
  EXPECT_EQ(numbers.extension_number_size(), 0);
}

TEST_F(Reflection, WhatIsNotThereIsAnErrorInTheStream) {
  const auto stream = api.Open(kV1);
  ServerReflectionRequest request;
  request.set_file_by_filename("no.proto");
  EXPECT_EQ(Ask(stream, request).error_response().error_code(), 5);
  EXPECT_EQ(AskForSymbol(stream, "no.Such").error_response().error_code(), 5);
  request.set_all_extension_numbers_of_type("no.Such");
  EXPECT_EQ(Ask(stream, request).error_response().error_code(), 5);
  request.mutable_file_containing_extension()->set_containing_type("mvccpb.KeyValue");
  EXPECT_EQ(Ask(stream, request).error_response().error_code(), 5);
  EXPECT_FALSE(stream.sink->end.has_value());
}

TEST_F(Reflection, MalformedAndEmptyRequestsEndTheStream) {
  const auto malformed = api.Open(kV1);
  malformed.handler->OnMessage("\xff");
  EXPECT_EQ(malformed.sink->end->code(), absl::StatusCode::kInternal);
  const auto empty = api.Open(kV1);
  empty.handler->OnMessage("");
  EXPECT_EQ(empty.sink->end->code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(Reflection, AClientThatDoesNotReadIsCutOff) {
  const auto stream = api.Open(kV1);
  stream.sink->stall_after = 1;
  AskForSymbol(stream, "etcdserverpb.KV");
  stream.handler->OnMessage(
      ServerReflectionRequest(stream.Parse<ServerReflectionResponse>(0).original_request())
          .SerializeAsString());
  EXPECT_EQ(stream.sink->end->code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace etcd::api::v3
