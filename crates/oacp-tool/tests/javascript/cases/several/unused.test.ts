enum Nobody { Imports }
