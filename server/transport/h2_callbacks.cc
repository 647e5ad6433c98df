#include "server/transport/h2_callbacks.h"

#include <algorithm>
#include <string_view>

#include "server/base/check.h"
#include "server/transport/h2_session.h"

namespace etcd::transport {
namespace {

H2Session& SessionOf(void* user_data) { return *static_cast<H2Session*>(user_data); }

H2Stream* StreamOf(nghttp2_session* session, std::int32_t stream_id) {
  return static_cast<H2Stream*>(nghttp2_session_get_stream_user_data(session, stream_id));
}

std::string_view View(const std::uint8_t* bytes, std::size_t length) {
  return {reinterpret_cast<const char*>(bytes), length};
}

bool IsRequestHead(const nghttp2_frame* frame) {
  return frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
}

nghttp2_session_callbacks* MakeTable(void (*fill)(nghttp2_session_callbacks*)) {
  nghttp2_session_callbacks* table = nullptr;
  CHECK(nghttp2_session_callbacks_new(&table) == 0) << "nghttp2 is out of memory";
  fill(table);
  return table;
}

}  // namespace

const nghttp2_session_callbacks* H2Callbacks::Table() {
  static const nghttp2_session_callbacks* const table =
      MakeTable([](nghttp2_session_callbacks* callbacks) {
        nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, OnBeginFrame);
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, OnBeginHeaders);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, OnFrameSent);
        nghttp2_session_callbacks_set_send_data_callback(callbacks, SendData);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnStreamClose);
      });
  return table;
}

// nghttp2 forgets closed streams (it would keep all of them under our stream limit) and then
// ignores what comes for them. A request on an old number is an error of the connection (RFC
// 9113, 5.1 and 5.1.1); late DATA is seen to by the frame scanner, since it does not get here.
int H2Callbacks::OnBeginFrame(nghttp2_session* raw, const nghttp2_frame_hd* head, void* user_data) {
  if (head->type != NGHTTP2_HEADERS) return 0;
  H2Session& session = SessionOf(user_data);
  const std::int32_t id = head->stream_id;
  if (id > session.last_stream_id_) {
    session.last_stream_id_ = id;
  } else if (session.ended_by_peer_.Contains(id)) {
    nghttp2_session_terminate_session(raw, NGHTTP2_STREAM_CLOSED);
  } else if (!session.streams_.contains(id) && !session.ended_by_us_.Contains(id)) {
    nghttp2_session_terminate_session(raw, NGHTTP2_PROTOCOL_ERROR);
  }
  return 0;
}

int H2Callbacks::OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
  H2Session& session = SessionOf(user_data);
  session.rules_.Begin(IsRequestHead(frame));
  session.head_open_ = true;
  session.head_.Clear();
  return 0;
}

int H2Callbacks::OnHeader(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                          std::size_t name_length, const std::uint8_t* value,
                          std::size_t value_length, std::uint8_t, void* user_data) {
  H2Session& session = SessionOf(user_data);
  const std::size_t bytes_max = session.context().options.header_bytes_max;
  switch (session.rules_.Check(View(name, name_length), View(value, value_length))) {
    case FieldRules::Verdict::kMalformed:
      session.Refuse(frame->hd.stream_id);
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // drops the rest of the list
    case FieldRules::Verdict::kIgnore:
      return 0;
    case FieldRules::Verdict::kTake:
      session.head_.Add(View(name, name_length), View(value, value_length), bytes_max);
  }
  // A list far above the limit is a bomb of compressed references: not worth an answer. Trailers
  // of a client mean nothing to gRPC, so they get none either.
  const bool hopeless = session.head_.bytes > 4 * bytes_max;
  const bool trailers = !IsRequestHead(frame);
  return hopeless || (trailers && session.head_.oversize) ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
                                                          : 0;
}

int H2Callbacks::OnFrame(nghttp2_session* raw, const nghttp2_frame* frame, void* user_data) {
  H2Session& session = SessionOf(user_data);
  const bool end_stream = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      session.head_open_ = false;
      if (IsRequestHead(frame)) {
        session.OnRequestHead(frame->hd.stream_id, end_stream);
      } else if (session.rules_.IsComplete(end_stream)) {
        OnRequestEnd(session, StreamOf(raw, frame->hd.stream_id));
      } else {
        session.Refuse(frame->hd.stream_id);
      }
      return 0;
    case NGHTTP2_DATA:
      if (end_stream) OnRequestEnd(session, StreamOf(raw, frame->hd.stream_id));
      return 0;
    case NGHTTP2_SETTINGS:
      session.connection_.Established();
      return 0;
    case NGHTTP2_RST_STREAM:
      session.reset_by_peer_ = frame->hd.stream_id;  // OnStreamClose comes next
      return 0;
    case NGHTTP2_PING:
      session.OnPing((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0);
      return 0;
    default:
      return 0;
  }
}

void H2Callbacks::OnRequestEnd(H2Session& session, H2Stream* stream) {
  if (stream == nullptr) return;
  if (!stream->body_is_whole()) return session.Refuse(stream->id());
  stream->MarkRequestEnded();
  stream->OnEndStream();
}

int H2Callbacks::OnData(nghttp2_session* raw, std::uint8_t, std::int32_t stream_id,
                        const std::uint8_t* data, std::size_t length, void* user_data) {
  H2Stream* stream = StreamOf(raw, stream_id);
  if (stream == nullptr) return 0;
  if (stream->CountBody(length)) {
    stream->OnData(View(data, length));
  } else {
    SessionOf(user_data).Refuse(stream_id);
  }
  return 0;
}

int H2Callbacks::OnFrameSent(nghttp2_session* raw, const nghttp2_frame* frame, void* user_data) {
  const std::uint8_t type = frame->hd.type;
  if (type != NGHTTP2_HEADERS && type != NGHTTP2_DATA) return 0;
  SessionOf(user_data).ping_policy_.OnAnswer();
  if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
  // Answered before the request was complete: what may still come is not wanted (RFC 9113, 8.1).
  const H2Stream* stream = StreamOf(raw, frame->hd.stream_id);
  if (stream != nullptr && !stream->request_ended()) {
    nghttp2_submit_rst_stream(raw, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
  }
  return 0;
}

int H2Callbacks::OnStreamClose(nghttp2_session* raw, std::int32_t stream_id, std::uint32_t,
                               void* user_data) {
  H2Session& session = SessionOf(user_data);
  const auto found = session.streams_.find(stream_id);
  if (found == session.streams_.end()) return 0;
  const std::shared_ptr<H2Stream> stream = std::move(found->second);
  const bool by_peer = stream->request_ended() || session.reset_by_peer_ == stream_id;
  (by_peer ? session.ended_by_peer_ : session.ended_by_us_).Add(stream_id);
  session.streams_.erase(found);
  nghttp2_session_set_stream_user_data(raw, stream_id, nullptr);
  stream->Close();
  return 0;
}

// How long the next DATA frame is and whether it is the last one.
ssize_t H2Callbacks::ReadData(nghttp2_session* raw, std::int32_t stream_id, std::uint8_t*,
                              std::size_t length, std::uint32_t* flags, nghttp2_data_source* source,
                              void*) {
  auto* stream = static_cast<H2Stream*>(source->ptr);
  std::size_t bytes = 0;
  const H2Stream::Pull pull = stream->NextFrame(length, bytes);
  if (pull == H2Stream::Pull::kWait) return NGHTTP2_ERR_DEFERRED;
  if (pull == H2Stream::Pull::kAbort) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (pull == H2Stream::Pull::kData) return static_cast<ssize_t>(bytes);
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  if (!stream->trailers().empty()) {
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    std::vector<nghttp2_nv> fields;
    fields.reserve(stream->trailers().size());
    for (const auto& [name, value] : stream->trailers()) {
      fields.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                        reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())),
                        name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    nghttp2_submit_trailer(raw, stream_id, fields.data(), fields.size());
  }
  return static_cast<ssize_t>(bytes);
}

int H2Callbacks::SendData(nghttp2_session*, nghttp2_frame*, const std::uint8_t* frame_head,
                          std::size_t length, nghttp2_data_source* source, void* user_data) {
  H2Session& session = SessionOf(user_data);
  if (session.filling_->size() >= session.fill_bytes_max_) return NGHTTP2_ERR_WOULDBLOCK;
  session.filling_->Append(View(frame_head, 9));
  static_cast<H2Stream*>(source->ptr)->WriteFrame(length, *session.filling_);
  return 0;
}

}  // namespace etcd::transport
