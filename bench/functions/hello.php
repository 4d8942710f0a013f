<?php
function handler($request) { return "Hello, World!"; }
