#include "client/internal/exchange.h"

#include "server/base/check.h"

namespace etcd::client::internal {

Exchange::Exchange(const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext& context,
                   const std::string& method)
    : context_(context), call_(grpc::GenericStub(channel).PrepareCall(&context, method, &queue_)) {}

Exchange::~Exchange() {
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

bool Exchange::Wait() {
  void* tag = nullptr;
  bool ok = false;
  CHECK(queue_.Next(&tag, &ok)) << "the queue has ended";
  return ok;
}

bool Exchange::Start() {
  call_->StartCall(this);
  return Wait();
}

void Exchange::SendBytes(const grpc::ByteBuffer& bytes) {
  if (!own_.ok()) return;
  call_->WriteLast(bytes, grpc::WriteOptions(), this);
  // A failure shows in Finish.
  Wait();
}

bool Exchange::ReceiveBytes(grpc::ByteBuffer& bytes) {
  if (!own_.ok()) return false;
  call_->Read(&bytes, this);
  return Wait();
}

void Exchange::Note(const grpc::Status& status) {
  if (status.ok()) return;
  own_ = status;
  context_.TryCancel();
}

grpc::Status Exchange::Finish() {
  grpc::Status status;
  call_->Finish(&status, this);
  Wait();
  return own_.ok() ? status : own_;
}

}  // namespace etcd::client::internal
