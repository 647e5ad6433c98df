#include "server/api/v3/reflection.h"

#include <deque>
#include <etcdserverpb/rpc.pb.h>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <v3electionpb/v3election.pb.h>
#include <v3lockpb/v3lock.pb.h>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpc/health/v1/health.pb.h>
#include <grpc/reflection/v1/reflection.pb.h>
#include <grpc/reflection/v1alpha/reflection.pb.h>

#include "server/base/status.h"

namespace etcd::api::v3 {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
// v1alpha has the same bytes on the wire.
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

// A client that asks on without reading is cut off.
constexpr std::size_t kPendingBytesMax = 4 << 20;

// What a table offers, fixed when it is complete.
struct Offer {
  std::set<std::string> services;
  const DescriptorPool* pool = DescriptorPool::generated_pool();
};
using OfferPtr = std::shared_ptr<const Offer>;

class ReflectionCall final : public base::StreamHandler {
 public:
  ReflectionCall(OfferPtr offer, base::StreamSinkPtr sink)
      : offer_(std::move(offer)), sink_(std::move(sink)) {}

  void OnMessage(std::string_view message) override {
    ServerReflectionRequest request;
    if (!request.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
      return sink_->Finish(
          base::MakeStatus(absl::StatusCode::kInternal, "grpc: failed to unmarshal the message"));
    }
    if (request.message_request_case() == ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET) {
      return sink_->Finish(
          base::MakeStatus(absl::StatusCode::kInvalidArgument, "invalid MessageRequest"));
    }
    if (sink_->PendingBytes() > kPendingBytesMax) {
      return sink_->Finish(
          base::MakeStatus(absl::StatusCode::kResourceExhausted, "answers are not read"));
    }
    ServerReflectionResponse response;
    response.set_valid_host(request.host());
    Answer(request, response);
    *response.mutable_original_request() = std::move(request);
    sink_->Send(base::Rope(response.SerializeAsString()));
  }
  void OnHalfClose() override { sink_->Finish(absl::OkStatus()); }
  void OnClose() override {}

 private:
  void Answer(const ServerReflectionRequest& request, ServerReflectionResponse& response) {
    const DescriptorPool& pool = *offer_->pool;
    switch (request.message_request_case()) {
      case ServerReflectionRequest::kFileByFilename:
        return AnswerFile(pool.FindFileByName(request.file_by_filename()), response);
      case ServerReflectionRequest::kFileContainingSymbol:
        return AnswerFile(pool.FindFileContainingSymbol(request.file_containing_symbol()),
                          response);
      case ServerReflectionRequest::kFileContainingExtension:
        return AnswerExtension(request.file_containing_extension(), response);
      case ServerReflectionRequest::kAllExtensionNumbersOfType:
        return AnswerNumbers(request.all_extension_numbers_of_type(), response);
      default:
        for (const std::string& name : offer_->services) {
          response.mutable_list_services_response()->add_service()->set_name(name);
        }
    }
  }

  static void NotFound(ServerReflectionResponse& response) {
    auto& error = *response.mutable_error_response();
    error.set_error_code(static_cast<int>(absl::StatusCode::kNotFound));
    error.set_error_message("not found");
  }

  // The file and what it imports, without the imports that this stream has been given before.
  void AnswerFile(const FileDescriptor* file, ServerReflectionResponse& response) {
    if (file == nullptr) return NotFound(response);
    auto& files = *response.mutable_file_descriptor_response();
    for (std::deque<const FileDescriptor*> queue = {file}; !queue.empty(); queue.pop_front()) {
      const FileDescriptor& next = *queue.front();
      if (!sent_.insert(&next).second && &next != file) continue;
      google::protobuf::FileDescriptorProto proto;
      next.CopyTo(&proto);
      files.add_file_descriptor_proto(proto.SerializeAsString());
      for (int i = 0; i < next.dependency_count(); ++i) queue.push_back(next.dependency(i));
    }
  }

  void AnswerExtension(const grpc::reflection::v1::ExtensionRequest& request,
                       ServerReflectionResponse& response) {
    const Descriptor* type = offer_->pool->FindMessageTypeByName(request.containing_type());
    const FieldDescriptor* field =
        type == nullptr ? nullptr
                        : offer_->pool->FindExtensionByNumber(type, request.extension_number());
    AnswerFile(field == nullptr ? nullptr : field->file(), response);
  }

  void AnswerNumbers(const std::string& name, ServerReflectionResponse& response) const {
    const Descriptor* type = offer_->pool->FindMessageTypeByName(name);
    if (type == nullptr) return NotFound(response);
    std::vector<const FieldDescriptor*> extensions;
    offer_->pool->FindAllExtensions(type, &extensions);
    auto& numbers = *response.mutable_all_extension_numbers_response();
    numbers.set_base_type_name(name);
    for (const FieldDescriptor* field : extensions) numbers.add_extension_number(field->number());
  }

  const OfferPtr offer_;
  const base::StreamSinkPtr sink_;
  std::set<const FileDescriptor*> sent_;
};

class ReflectionMethod final : public base::StreamMethod {
 public:
  explicit ReflectionMethod(OfferPtr offer) : offer_(std::move(offer)) {}
  std::unique_ptr<base::StreamHandler> Open(base::CallContextPtr,
                                            base::StreamSinkPtr sink) override {
    return std::make_unique<ReflectionCall>(offer_, std::move(sink));
  }

 private:
  const OfferPtr offer_;
};

// Uses every generated file that describes a service: the linker would leave out those that nothing
// else asks for.
void KeepDescriptors() {
  etcdserverpb::RangeRequest::descriptor();
  v3lockpb::LockRequest::descriptor();
  v3electionpb::CampaignRequest::descriptor();
  grpc::health::v1::HealthCheckRequest::descriptor();
  grpc::reflection::v1alpha::ServerReflectionRequest::descriptor();
}

// "/etcdserverpb.KV/Range" -> "etcdserverpb.KV".
std::string ServiceOf(const std::string& path) { return path.substr(1, path.rfind('/') - 1); }

}  // namespace

void AddReflection(base::MethodTable& table) {
  KeepDescriptors();
  const auto offer = std::make_shared<Offer>();
  for (const char* service :
       {"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}) {
    table.Add({.path = "/" + std::string(service) + "/ServerReflectionInfo",
               .unary = nullptr,
               .stream = std::make_unique<ReflectionMethod>(offer),
               .kind = base::MethodEntry::Kind::kBidi});
  }
  for (const auto& entry : table.entries()) offer->services.insert(ServiceOf(entry->path));
}

}  // namespace etcd::api::v3
