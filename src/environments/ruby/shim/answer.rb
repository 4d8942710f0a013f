# frozen_string_literal: true

module Atelier
  module Shim
    NAME = /\A[!#$%&'*+.^_`|~0-9A-Za-z-]+\z/
    VALUE = /\A[\t\u0020-\u007e\u0080-\u00ff]*\z/

    module_function

    # Sends what a handler has returned.
    def send_answer(call, value)
      response = to_response(value)
      body, type = encode(response.body)
      headers = response.headers.flat_map { |name, values| lines(name, values) }
      empty = [204, 205, 304].include?(response.status)
      headers << "content-type: #{type}" if type && !empty && headers.none? { |line| line.start_with?("content-type: ") }
      silent = empty || call.method == "HEAD"
      if body.is_a?(String) && body.bytesize > WINDOW_BYTES && !empty
        headers << "content-length: #{body.bytesize}" if headers.none? { |line| line.start_with?("content-length: ") }
      end
      head = [status(response.status), *headers].join("\n")
      return call.answer(head, silent ? "" : body) if body.is_a?(String) && (silent || body.bytesize <= WINDOW_BYTES)

      call.answer_head(head)
      (body.is_a?(String) ? [body] : body).each { |piece| call.write(piece.to_s) } unless silent
      call.finish
    ensure
      response&.body.close if response&.body.respond_to?(:close) && !response.body.is_a?(String)
    end

    def to_response(value)
      return value if value.is_a?(Response)
      return Response.new(nil, status: 204) if value.nil?
      # As Rack has it.
      if value.is_a?(Array) && value.size == 3 && value[0].is_a?(Integer) && value[1].is_a?(Hash) && value[2].respond_to?(:each)
        return Response.new(value[2].is_a?(Array) ? value[2].join : value[2], status: value[0], headers: value[1])
      end

      Response.new(value)
    end

    def encode(body)
      case body
      when nil then ["", nil]
      when String then [body, body.encoding == Encoding::BINARY ? "application/octet-stream" : "text/plain; charset=utf-8"]
      when Hash, Array, Numeric, true, false then [JSON.generate(body), "application/json"]
      else
        raise TypeError, "A handler cannot answer with a #{body.class}: return text, a Hash or a Response." unless body.respond_to?(:each)

        [body, body.is_a?(Enumerator) ? "text/plain; charset=utf-8" : "application/octet-stream"]
      end
    end

    def status(code)
      raise ArgumentError, "The status #{code} is not from 200 to 599." unless (200..599).cover?(Integer(code))

      code.to_s
    end

    def lines(name, values)
      raise ArgumentError, "#{name.inspect} is not a header name." unless NAME.match?(name.to_s)
      return [] if name.start_with?("rack.")

      # Rack 2 writes repeated headers as lines of one text.
      values = values.split("\n") if values.is_a?(String) && name.casecmp?("set-cookie")
      Array(values).map do |value|
        value = value.to_s.strip
        value = value.dup.force_encoding(Encoding::UTF_8)
        value = value.force_encoding(Encoding::ISO_8859_1).encode(Encoding::UTF_8) unless value.valid_encoding?
        raise ArgumentError, "The value of the header #{name} holds characters that no header may hold." unless VALUE.match?(value)

        "#{name.downcase}: #{value}"
      end
    end
  end
end
