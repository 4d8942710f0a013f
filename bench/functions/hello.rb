def handler(request) = "Hello, World!"
