#pragma once

#include <memory>
#include <string>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

namespace etcd::client::internal {

// One attempt of a call with one request message, in steps: its headers go first, and the request
// is only given to gRPC once they are on a connection. So when Start fails no server can have seen
// the request. Each step blocks; one thread.
class Exchange {
 public:
  Exchange(const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext& context,
           const std::string& method);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // False: the call never was on a connection; Finish says why.
  bool Start();
  // The only request.
  template <typename Request>
  void Send(const Request& request) {
    grpc::ByteBuffer bytes;
    bool is_own = false;
    Note(grpc::SerializationTraits<Request>::Serialize(request, &bytes, &is_own));
    SendBytes(bytes);
  }
  // The next answer; false at the end, and when it is no such message (Finish says so).
  template <typename Answer>
  bool Receive(Answer& answer) {
    grpc::ByteBuffer bytes;
    if (!ReceiveBytes(bytes)) return false;
    Note(grpc::SerializationTraits<Answer>::Deserialize(&bytes, &answer));
    return own_.ok();
  }
  // Wants no more answers.
  void Cancel() { context_.TryCancel(); }
  // How it ended: what failed here, else what the server said. Once, after the end.
  grpc::Status Finish();

 private:
  void SendBytes(const grpc::ByteBuffer& bytes);
  bool ReceiveBytes(grpc::ByteBuffer& bytes);
  // The result of the operation that was begun last.
  bool Wait();
  // A failure of this side; ends the call.
  void Note(const grpc::Status& status);

  grpc::ClientContext& context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  grpc::Status own_;
};

}  // namespace etcd::client::internal
