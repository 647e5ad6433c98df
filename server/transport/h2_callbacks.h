#pragma once

#include <cstddef>
#include <cstdint>

#include <nghttp2/nghttp2.h>

namespace etcd::transport {

class H2Session;
class H2Stream;

// The functions that nghttp2 calls. Internal to h2_session.cc and h2_callbacks.cc.
struct H2Callbacks {
  // Shared by all sessions; never freed.
  static const nghttp2_session_callbacks* Table();

  static ssize_t ReadData(nghttp2_session* session, std::int32_t stream_id, std::uint8_t* buffer,
                          std::size_t length, std::uint32_t* flags, nghttp2_data_source* source,
                          void* user_data);

 private:
  static int OnBeginFrame(nghttp2_session* session, const nghttp2_frame_hd* head, void* user_data);
  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user_data);
  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_length, const std::uint8_t* value, std::size_t value_length,
                      std::uint8_t flags, void* user_data);
  static int OnFrame(nghttp2_session* session, const nghttp2_frame* frame, void* user_data);
  static void OnRequestEnd(H2Session& session, H2Stream* stream);
  static int OnData(nghttp2_session* session, std::uint8_t flags, std::int32_t stream_id,
                    const std::uint8_t* data, std::size_t length, void* user_data);
  static int OnFrameSent(nghttp2_session* session, const nghttp2_frame* frame, void* user_data);
  static int SendData(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* frame_head,
                      std::size_t length, nghttp2_data_source* source, void* user_data);
  static int OnStreamClose(nghttp2_session* session, std::int32_t stream_id, std::uint32_t code,
                           void* user_data);
};

}  // namespace etcd::transport
