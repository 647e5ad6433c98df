# etcd_proto(name FILES a/b.proto ... DEPS ... [GRPC]): a library of generated messages, included as
# <a/b.pb.h>. With GRPC also the client stubs (our server does not use them: its transport is its
# own). Generated headers count as system headers, so our warnings do not reach them.
function(etcd_proto name)
  cmake_parse_arguments(ARG "GRPC" "ROOT" "FILES;DEPS" ${ARGN})
  if(NOT ARG_ROOT)
    set(ARG_ROOT ${CMAKE_CURRENT_SOURCE_DIR})
  endif()
  set(out ${CMAKE_BINARY_DIR}/generated)
  set(sources)
  foreach(file ${ARG_FILES})
    string(REGEX REPLACE "\\.proto$" "" stem ${file})
    set(products ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
    set(options --cpp_out=${out})
    if(ARG_GRPC)
      list(APPEND products ${out}/${stem}.grpc.pb.cc ${out}/${stem}.grpc.pb.h)
      set(options --grpc_out=${out} --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>)
      list(REMOVE_AT products 0 1)
    endif()
    add_custom_command(OUTPUT ${products}
      COMMAND ${CMAKE_COMMAND} -E make_directory ${out}
      COMMAND protobuf::protoc -I${ARG_ROOT} -I${PROJECT_SOURCE_DIR}/proto ${options} ${file}
      DEPENDS ${ARG_ROOT}/${file} VERBATIM)
    list(APPEND sources ${products})
  endforeach()
  add_library(etcd_${name} STATIC ${sources})
  target_include_directories(etcd_${name} SYSTEM PUBLIC ${out})
  target_link_libraries(etcd_${name} PUBLIC protobuf::libprotobuf ${ARG_DEPS})
  if(ARG_GRPC)
    target_link_libraries(etcd_${name} PUBLIC gRPC::grpc++)
  endif()
endfunction()
