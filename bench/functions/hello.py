def handler(request, context):
    return "Hello, World!"
